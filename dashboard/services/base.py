"""What a service declares: its series, its rules, and the sources that are asked about it directly."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any, ClassVar, TypeVar, final

from dashboard.models import Severity
from dashboard.samples import Value
from novaops import environment as declared
from novaops import watching
from novaops.environment import Environment
from novaops.watching import Watch

# CloudWatch shows a period up to three periods late (FACTS E), so that its newest value is this many periods old.
CLOUDWATCH_PERIODS = 2.5
CLOUDWATCH = "CloudWatch"
# So many durations after an alert cleared, the same trouble is still the same alert.
FLAP_DURATIONS = 4
SHORTEST_FLAP_S = 60
Columns = Mapping[str, Mapping[datetime, float]]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One watched metric. With `metric` (`AWS/ECS:CPUUtilization`) CloudWatch has it; without, `source` tells it.

    `by` names the CloudWatch dimensions it is published with. `zero_beside` names a series of the same service: in a
    period where that has a value, no value of this one means zero (counters that are only published when not zero).
    """

    name: str
    unit: str
    source: str = CLOUDWATCH
    metric: str = ""
    statistic: str = "Average"
    by: tuple[str, ...] = ()
    per_node: bool = False
    zero_beside: str = ""
    # The things that it is told of, where they are known beforehand.
    resources: tuple[str, ...] = ()

    def interval_s(self, environment: Environment) -> float:
        """How old the newest value is at most while all is well. Twice that is stale."""
        if self.source == CLOUDWATCH:
            return max(environment.metric_period_s * CLOUDWATCH_PERIODS, environment.collect_every_s)
        return environment.collect_every_s

    def covers_s(self, environment: Environment) -> int:
        """For how long from its time a value speaks: a CloudWatch value is of a whole period, others of a moment."""
        return environment.metric_period_s if self.source == CLOUDWATCH else 0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A threshold of the runbook with a duration. Fires after `for_s` beyond it, clears after `clear_for_s` back.

    Back means `band` inside the threshold, so that a value around it is one alert. Missing values neither fire nor
    clear it; unless `quiet_ok`, they make the service's state stale or unknown.
    """

    key: str
    title: str
    series: str
    # The sentence of an alert; {value} and {threshold} are filled in.
    says: str
    above: float | None = None
    below: float | None = None
    band: float = 0
    for_s: int = 300
    clear_for_s: float | None = None
    severity: Severity = Severity.CRIT
    quiet_ok: bool = False
    section: str = ""
    causes: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()

    @property
    def watches(self) -> str:
        """Its series in words."""
        return self.series.replace("_", " ")

    @property
    def threshold(self) -> float:
        return self.above if self.above is not None else self.below if self.below is not None else 0.0

    @property
    def calm_s(self) -> float:
        """How long the value must be back before the alert clears: a fifth of the duration unless declared."""
        return self.for_s / 5 if self.clear_for_s is None else self.clear_for_s

    @property
    def clears_at(self) -> float:
        """The value at which it is back."""
        return self.threshold - self.band if self.above is not None else self.threshold + self.band

    @property
    def without_data(self) -> str:
        """What becomes of the alert and of the tile without samples, in words."""
        tile = "the tile stays as it is" if self.quiet_ok else "the tile turns Stale and then No data"
        return f"it neither fires nor clears, and {tile}"

    @property
    def flap_s(self) -> float:
        """For how long after it cleared a new firing is the same alert."""
        return max(FLAP_DURATIONS * self.for_s, SHORTEST_FLAP_S)

    def beyond(self, value: float) -> bool:
        """Whether the value is on the wrong side of the threshold."""
        return value > self.threshold if self.above is not None else value < self.threshold

    def back(self, value: float) -> bool:
        """Whether the value is on the right side, clear of the band."""
        return value <= self.clears_at if self.above is not None else value >= self.clears_at

    def in_environment(self, environment: Environment) -> "Rule":
        """The rule with what nova.toml changes of it there."""
        change = environment.rules.get(self.key)
        return self.changed(**change.model_dump(exclude_none=True)) if change else self

    def at(self, value: float, for_s: int) -> "Rule":
        """The rule with another threshold on the same side, and another duration."""
        side = "above" if self.above is not None else "below"
        return self.changed(**{side: value}, for_s=for_s)

    def changed(self, **changes: Any) -> "Rule":
        """The rule with these changes. A smaller threshold has a smaller band, or nothing could ever clear it."""
        if not changes.keys() & {"above", "below"}:
            return replace(self, **changes)
        changed = replace(self, **{"above": None, "below": None, **changes})
        share = min(1.0, abs(changed.threshold / self.threshold)) if self.threshold else 1.0
        return replace(changed, band=self.band * share)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one source told: numbers by label (`name`, or `name/node`), and facts (JSON values) that are not numbers.

    `failed` is a sentence where the source did not answer well and just that is a value worth keeping.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    failed: str = ""


class Asking:
    """One round's questions to the outside. A call that two services need is made once.

    `before` are the facts of the last readings, by service.
    """

    def __init__(self, environment: Environment, before: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.environment = environment
        self.before = before or {}
        self._lock = Lock()
        self._answers: dict[Hashable, Future[Any]] = {}

    def once(self, call: Callable[..., T], *args: Hashable) -> T:
        """The result of `call(environment, *args)`, which only the first to ask makes; the others wait for it."""
        key = (call, args)
        with self._lock:
            first = key not in self._answers
            answer = self._answers.setdefault(key, Future())
        if first:
            try:
                answer.set_result(call(self.environment, *args))
            except Exception as failure:  # noqa: BLE001 - handed to everyone who asked
                answer.set_exception(failure)
        result: T = answer.result()
        return result


@dataclass(frozen=True, kw_only=True)
class Source:
    """One place to ask directly. `read` raises an OutsideError with a sentence safe to show."""

    name: str
    read: Callable[[Asking], Observation]


@dataclass(frozen=True, kw_only=True)
class TileValue:
    """One of the three values of a tile. `of` joins a second series: shown as `value / of`."""

    label: str
    series: str
    unit: str = ""
    of: str = ""
    digits: int = 0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Series of one unit drawn over each other: the first as a line, the others dashed. `key` names it in addresses."""

    key: str
    title: str
    series: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting that matters in an emergency. `fact` is its place in a reading's facts: `variables.X`."""

    label: str
    fact: str
    source: str


class Service:
    """What one tile stands for: its series, its rules, its sources and what of it the tile shows.

    One without a tile is no service of Nova's; its alerts stand beside the verdict. `trends` names the series whose
    course of the last day `project` is told.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    series: ClassVar[tuple[Series, ...]] = ()
    rules: ClassVar[tuple[Rule, ...]] = ()
    sources: ClassVar[tuple[Source, ...]] = ()
    tile: ClassVar[tuple[TileValue, ...]] = ()
    charts: ClassVar[tuple[Chart, ...]] = ()
    settings: ClassVar[tuple[Setting, ...]] = ()
    spark: ClassVar[str] = ""
    spark_label: ClassVar[str] = ""
    trends: ClassVar[tuple[str, ...]] = ()

    def own_series_in(self, environment: Environment) -> tuple[Series, ...]:
        """The series that it declares and that exist in this environment."""
        return self.series

    @final
    def series_in(self, environment: Environment) -> tuple[Series, ...]:
        """The series that exist in this environment, with those that other apps watch of it."""
        return (*self.own_series_in(environment), *(_series(one, source) for one, source in self._watched(environment)))

    def sources_in(self, environment: Environment) -> tuple[Source, ...]:
        """The sources that exist in this environment."""
        return self.sources

    def dimensions(self, environment: Environment, node: str) -> dict[str, str]:
        """The values of the CloudWatch dimensions that its series name in `by`."""
        raise NotImplementedError

    def nodes(self, facts: Mapping[str, Any]) -> Sequence[str]:
        """The nodes that its per-node series are read of, from the facts of the last reading."""
        return ()

    def main_node(self, facts: Mapping[str, Any]) -> str:
        """The node whose values the tile shows."""
        return ""

    def derive(self, environment: Environment, new: Columns, before: Mapping[str, Value]) -> Columns:
        """What follows from the values of this round. `before` has the newest value of each label until now."""
        return {}

    def charts_in(self, environment: Environment) -> tuple[Chart, ...]:
        """The charts with those of their series that exist in this environment."""
        names = {series.name for series in self.series_in(environment)}
        found = (replace(chart, series=tuple(name for name in chart.series if name in names)) for chart in self.charts)
        return tuple(chart for chart in found if chart.series)

    def project(self, new: Columns, trends: Mapping[str, float]) -> Columns:
        """What follows where the series of `trends` go on as in the last day: by how much a second, where known."""
        return {}

    def rules_in(self, environment: Environment) -> tuple[Rule, ...]:
        """The rules with the environment's changes; those on series that do not exist there are left out."""
        names = {series.name for series in self.own_series_in(environment)}
        own = (rule for rule in self.rules if rule.series in names)
        watched = (_rule(one) for one, _ in self._watched(environment))
        return tuple(rule.in_environment(environment) for rule in (*own, *watched))

    def every_rule(self) -> dict[str, Rule]:
        """The rules by key, whichever environment they exist in."""
        watched = (_rule(one) for place in declared.environments().values() for one, _ in self._watched(place))
        return {rule.key: rule for rule in (*self.rules, *watched)}

    def _watched(self, environment: Environment) -> list[tuple[Watch, str]]:
        shares = watching.of_service(self.kind)
        return [(one, share.source) for share in shares for one in share.watches(environment)]


def _series(one: Watch, source: str) -> Series:
    return Series(name=one.series, unit=one.unit, source=source, resources=one.resources)


def _rule(one: Watch) -> Rule:
    return Rule(
        key=one.key,
        title=one.title,
        series=one.series,
        says=one.says,
        above=one.above,
        for_s=one.for_s,
        clear_for_s=one.clear_for_s,
        severity=Severity(one.severity),
        quiet_ok=True,
        section=one.section,
        causes=one.causes,
        offers=one.offers,
    )


services: dict[str, Service] = {}


def register(service: type[Service]) -> type[Service]:
    """Make the service known, in the order of the files' import."""
    services[service.kind] = service()
    return service
