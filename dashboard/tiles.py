"""A service's tile, judged from its reading and its firing alerts alone. What is old or missing is never green."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.urls import reverse

from dashboard.models import Alert, Reading, Severity
from dashboard.samples import SPARK_POINTS, SPARK_SPAN
from dashboard.services.base import CLOUDWATCH, Series, Service, TileValue
from dashboard.services.events import NEVER_S
from dashboard.status import State
from novaops.environment import Environment

STALE_INTERVALS = 2
UNKNOWN_INTERVALS = 10
NONE = "–"  # noqa: RUF001 - a dash where a number would stand
GIB = 2**30
# The worst first: a tile and the verdict take the first of these that applies to anything they show.
WORST_FIRST = (State.CRIT, State.UNKNOWN, State.WARN, State.STALE, State.MAINT, State.OK)


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number of a tile as text, with where it comes from and how old it is (None: there is none)."""

    label: str
    text: str
    unit: str
    source: str
    age_s: float | None
    stale: bool


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A service at a glance. `why` says what is wrong; `at` is the time of its oldest value."""

    kind: str
    title: str
    state: State
    since: datetime | None
    values: list[Value]
    spark: list[float | None]
    spark_label: str
    source: str
    at: datetime | None
    age_s: float | None
    stale: bool
    why: str
    failures: list[str]
    url: str


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A value of a reading: what it is, and how old against its source's interval."""

    label: str
    series: Series
    value: float
    at: datetime
    age_s: float
    interval_s: float

    @property
    def state(self) -> State:
        """OK, STALE beyond two intervals, UNKNOWN beyond ten."""
        if self.age_s > UNKNOWN_INTERVALS * self.interval_s:
            return State.UNKNOWN
        return State.STALE if self.age_s > STALE_INTERVALS * self.interval_s else State.OK


def worst(states: Sequence[State]) -> State:
    """The state that a group of things is in; nothing at all is unknown."""
    return next((state for state in WORST_FIRST if state in states), State.UNKNOWN)


def build(
    service: Service,
    environment: Environment,
    reading: Reading | None,
    alerts: Sequence[Alert],
    now: datetime,
    *,
    collected: bool,
) -> Tile:
    """The tile of a service. `alerts` are those that fire; `collected` is whether the collector is alive."""
    stored = _stored(service, environment, reading, now)
    node = service.main_node(reading.facts) if reading else ""
    shown = [stored.get(_label(service, environment, value, node)) for value in service.tile]
    ages = [one.state if one else State.UNKNOWN for one in (*shown, *_watched(service, environment, stored))]
    state = worst([*(State(alert.severity) for alert in alerts), *ages, *([] if collected else [State.STALE])])
    oldest = min((one.at for one in shown if one), default=None)
    return Tile(
        kind=service.kind,
        title=service.title,
        state=state,
        since=_since(state, alerts, oldest),
        values=[_value(service, environment, value, node, stored) for value in service.tile],
        spark=_moved_on(reading, now) if reading else [],
        spark_label=service.spark_label,
        source=reading.source if reading else _sources(service, environment),
        at=oldest,
        age_s=(now - oldest).total_seconds() if oldest else None,
        stale=not collected or worst(ages) != State.OK,
        why=_why(state, alerts, stored, now, collected=collected),
        failures=list(reading.failed) if reading else [],
        url=f"{reverse('dashboard:service', args=[service.kind])}?environment={environment.name}",
    )


def in_maintenance(tile: Tile, window: Mapping[str, str]) -> Tile:
    """The tile of a service that is worked on: its values stay, its state is that it is worked on."""
    starts_at, ends_at = (datetime.fromisoformat(window[name]) for name in ("starts_at", "ends_at"))
    why = f"In maintenance until {ends_at:%d %b %H:%M} UTC: {window['reason']}"
    return replace(tile, state=State.MAINT, since=starts_at, why=why)


def _stored(service: Service, environment: Environment, reading: Reading | None, now: datetime) -> dict[str, Stored]:
    """The reading's values of the series that are declared now, by label."""
    declared = {series.name: series for series in service.series_in(environment)}
    found: dict[str, Stored] = {}
    for label, value in (reading.values if reading else {}).items():
        series = declared.get(label.partition("/")[0])
        if series:
            at = datetime.fromisoformat(value["at"])
            found[label] = Stored(
                label=label,
                series=series,
                value=value["value"],
                at=at,
                age_s=max((now - at).total_seconds(), 0.0),
                interval_s=series.interval_s(environment),
            )
    return found


def _label(service: Service, environment: Environment, value: TileValue, node: str) -> str:
    per_node = any(series.per_node for series in service.series_in(environment) if series.name == value.series)
    return f"{value.series}/{node}" if per_node else value.series


def _watched(service: Service, environment: Environment, stored: dict[str, Stored]) -> Iterator[Stored | None]:
    """The values that the rules need: without them, that no alert fires means nothing."""
    for rule in service.rules_in(environment):
        if not rule.quiet_ok:
            found = [one for one in stored.values() if one.series.name == rule.series]
            yield from found or (None,)


def _value(service: Service, environment: Environment, shown: TileValue, node: str, stored: dict[str, Stored]) -> Value:
    one = stored.get(_label(service, environment, shown, node))
    if one is None:
        series = next((series for series in service.series_in(environment) if series.name == shown.series), None)
        source = series.source if series else CLOUDWATCH
        return Value(label=shown.label, text=NONE, unit="", source=source, age_s=None, stale=True)
    text, unit = written(one.value, shown.unit, shown.digits)
    whole = stored.get(shown.of)
    if whole and whole.state == State.OK:
        text = f"{text} / {written(whole.value, '', 0)[0]}"
    return Value(
        label=shown.label,
        text=text,
        unit=unit,
        source=one.series.source,
        age_s=one.age_s,
        stale=one.state != State.OK,
    )


def written(value: float, unit: str, digits: int) -> tuple[str, str]:
    """A value and its unit as people read them: bytes as GiB, seconds as the largest unit that fits."""
    if unit == "B":
        return f"{value / GIB:.1f}", "GiB"
    if unit == "s":
        return _duration(value)
    return f"{value:.{digits}f}", unit


def _duration(length_s: float) -> tuple[str, str]:
    if length_s >= NEVER_S:
        return "never", ""
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if length_s >= 2 * unit_s:
            return f"{length_s / unit_s:.0f}", unit
    return f"{length_s:.0f}", "s"


def _since(state: State, alerts: Sequence[Alert], oldest: datetime | None) -> datetime | None:
    if state in (State.CRIT, State.WARN):
        return min(alert.started_at for alert in alerts if alert.severity == state.value)
    return oldest if state in (State.STALE, State.UNKNOWN) else None


def _why(
    state: State,
    alerts: Sequence[Alert],
    stored: dict[str, Stored],
    now: datetime,
    *,
    collected: bool,
) -> str:
    """One sentence for what is wrong; empty where all is well."""
    if state in (State.CRIT, State.WARN):
        severity = Severity(state.value)
        return next(alert.sentence for alert in alerts if alert.severity == severity)
    if state == State.OK:
        return ""
    if not stored:
        return "Nothing has been collected yet."
    old = [one for one in stored.values() if one.state != State.OK]
    if not old:
        return "A value that a rule needs has never come." if collected else "NovaOps itself is not collecting."
    first = max(old, key=lambda one: one.age_s / one.interval_s)
    length, unit = _duration((now - first.at).total_seconds())
    return f"{first.series.source} last told {first.series.name.replace('_', ' ')} {length} {unit} ago."


def _moved_on(reading: Reading, now: datetime) -> list[float | None]:
    """The sparkline until now: what passed since the reading is a gap."""
    bins = int((now - reading.at) / (SPARK_SPAN / SPARK_POINTS))
    return [*reading.spark, *[None] * min(max(bins, 0), SPARK_POINTS)][-SPARK_POINTS:]


def _sources(service: Service, environment: Environment) -> str:
    return ", ".join([CLOUDWATCH, *(source.name for source in service.sources_in(environment))])


def collected_lately(environment: Environment, at: datetime | None, now: datetime) -> bool:
    """Whether the last round, at `at`, is at most two intervals ago."""
    return at is not None and now - at <= timedelta(seconds=STALE_INTERVALS * environment.collect_every_s)
