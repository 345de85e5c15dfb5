"""The overview of an environment: one object per request, built from rows alone, its verdict from its own tiles."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from dashboard import pulses, quiet, tiles
from dashboard.collect import NOTES
from dashboard.models import Alert, AlertState, Reading, Severity
from dashboard.services.base import services
from dashboard.status import State
from dashboard.tiles import Tile, Value
from novaops import live
from novaops.environment import SERVICE_KINDS, Environment
from novaops.runbook import meters, offers, undo
from novaops.runbook.models import Run, Undo
from novaops.runbook.offers import Offer
from novaops.runbook.registry import actions
from novaops.runbook.states import ACTIVE
from novaops.watching import Note

__all__ = ["Change", "IncidentStrip", "Offer", "Overview", "Tile", "Value", "Verdict", "build", "incident_strips"]

RECENT = timedelta(minutes=60)
MOST_CHANGES = 12
MOST_OFFERS = 5
MOST_RUNS = 30
MOST_UNDOS = 3
MOST_POLL_S = 10
# Shorter than a pulse of NovaOps' own beat may be late: rows that are this old raise no false alarm.
KEPT_S = 5.0
User_ = User | AnonymousUser


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether Nova is healthy, in one sentence; computed from the tiles beside it."""

    state: State
    sentence: str
    detail: str
    since: datetime | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that happened lately; `kind` is alert, run or deployment."""

    at: datetime
    kind: str
    text: str
    url: str


@dataclass(frozen=True, kw_only=True)
class IncidentStrip:
    """The open incident as every page shows it. `age` is how long it has been open, `step` as `2/6 Assess`."""

    number: int
    title: str
    severity: str
    age: timedelta
    commander: str
    step: str
    url: str
    # When people must hear again; None where nothing is promised.
    update_due_at: datetime | None = None
    # How many more are open, none of them more severe.
    others: int = 0

    @property
    def update_overdue(self) -> bool:
        return self.update_due_at is not None and self.update_due_at < timezone.now()


@dataclass(frozen=True, kw_only=True)
class Owed:
    """Something that people owe, as another app tells it: its state, until when, and where."""

    state: str
    word: str
    text: str
    at: datetime
    url: str


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Everything the overview shows. `rev` is what an open page polls with.

    `alerts` are those of Nova's services, `notices` those of NovaOps' own sight.
    """

    environment: Environment
    verdict: Verdict
    tiles: list[Tile]
    alerts: list[Alert]
    changes: list[Change]
    offers: list[Offer]
    incident: IncidentStrip | None
    running: list[Run]
    undos: list[Undo]
    as_of: datetime | None
    rev: str
    notes: list[Note] = field(default_factory=list)
    notices: list[Alert] = field(default_factory=list)

    @property
    def poll_s(self) -> int:
        """How often an open page asks: a new round is seen before the next one, and never later than ten seconds."""
        return min(self.environment.collect_every_s, MOST_POLL_S)

    owed: tuple[Owed, ...] = ()


incident_strips: list[Callable[[Environment], IncidentStrip | None]] = []
debts: list[Callable[[Environment], Iterable[Owed]]] = []


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What the overview is built from, read at the revision `rev`; how old its values are is judged each time."""

    rev: str
    # With what `_readings` adds to each.
    readings: dict[str, Any]
    alerts: list[Alert]
    runs: list[Run]
    incident: IncidentStrip | None
    undos: list[Undo]


# By environment: when rows were read, and the rows.
_last_read: dict[str, tuple[float, Rows]] = {}


def build(
    environment: Environment, user: User_ | None = None, now: datetime | None = None, rows: Rows | None = None
) -> Overview:
    """The overview now: one query each for readings, alerts and runs, and the incident's. Offers are a user's."""
    now = now or timezone.now()
    rows = rows or _read(environment, now)
    readings, alerts, runs = rows.readings, rows.alerts, rows.runs
    worked_on = {kind for kind, reading in readings.items() if reading.maintenance}
    every = [one for one in alerts if one.state == AlertState.FIRING and one.service not in worked_on]
    firing = [one for one in every if one.service in SERVICE_KINDS]
    as_of = max((reading.at for reading in readings.values()), default=None)
    silence = next((pulses.silence(one.beat_at, one.worker_at, now) for one in readings.values()), "")
    collected = not silence and tiles.collected_lately(environment, as_of, now)
    shown = [
        tiles.in_maintenance(tile, readings[tile.kind].maintenance) if tile.kind in worked_on else tile
        for tile in _tiles(environment, readings, firing, now, collected=collected)
    ]
    return Overview(
        environment=environment,
        verdict=judge(shown, firing, as_of, collected=collected, silence=silence),
        tiles=shown,
        alerts=firing,
        changes=_changes(alerts, runs, readings, now),
        offers=offers_for(firing, user, environment) if user else [],
        incident=rows.incident,
        running=[run for run in runs if run.status in ACTIVE],
        undos=rows.undos,
        as_of=as_of,
        rev=rows.rev,
        notices=[one for one in every if one.service not in SERVICE_KINDS],
        notes=[_note(one) for reading in readings.values() for one in reading.facts.get(NOTES, [])],
        owed=tuple(one for tell in debts for one in tell(environment)) if user else (),
    )


def shared(environment: Environment, now: datetime | None = None) -> Overview:
    """The overview now, from rows that this process has read moments ago where nothing moved on since."""
    now_s, rev = time.monotonic(), revision(environment)
    read_s, rows = _last_read.get(environment.name, (now_s, None))
    if rows is None or not rev or rev != rows.rev or now_s - read_s > KEPT_S:
        rows = _read(environment, timezone.now())
        _last_read[environment.name] = (now_s, rows)
    return build(environment, now=now, rows=rows)


def _read(environment: Environment, now: datetime) -> Rows:
    return Rows(
        # First: what is committed while the rows are read moves on a page that has not seen it.
        rev=revision(environment, now),
        readings={reading.service: reading for reading in _readings(environment, now)},
        alerts=_alerts(environment, now),
        runs=_runs(environment, now),
        incident=incident_of(environment),
        undos=list(undo.standing(environment.name)[:MOST_UNDOS]),
    )


def revision(environment: Environment, now: datetime | None = None) -> str:
    """The revision of the overview. It also moves with time, so that an open page notices that nothing comes any more.

    Empty where Redis does not answer: then every poll is rendered.
    """
    return live.current(topics(environment), environment.collect_every_s, (now or timezone.now()).timestamp())


def topics(environment: Environment) -> tuple[str, ...]:
    """What moves on with every round."""
    return (f"overview:{environment.name}",)


def _note(told: Mapping[str, Any]) -> Note:
    """What another app last had to say, from a reading's facts."""
    return Note(**{**told, "at": parse_datetime(told["at"]) if told["at"] else None})


def incident_of(environment: Environment) -> IncidentStrip | None:
    """The open incident, as the incidents app tells it."""
    return next((strip for of in incident_strips if (strip := of(environment))), None)


def _readings(environment: Environment, now: datetime) -> Iterable[Any]:
    """The readings, with when NovaOps' own beat and workers were last felt and the maintenance that stands: one query.

    A service that was never read has no row here, and so no maintenance: nothing is known of it anyway.
    """
    pulse = {"beat_at": pulses.newest(pulses.BEAT), "worker_at": pulses.newest(pulses.WORKER)}
    found = Reading.objects.filter(environment=environment.name)
    return found.annotate(**pulse, maintenance=quiet.of_reading(now))


def _alerts(environment: Environment, now: datetime) -> list[Alert]:
    """Those that fire, the worst and then the oldest first, and those of the last hour."""
    recent = Q(state=AlertState.FIRING) | Q(fired_at__gte=now - RECENT) | Q(cleared_at__gte=now - RECENT)
    rows = Alert.objects.filter(recent, environment=environment.name)
    return sorted(rows, key=lambda alert: (alert.severity != Severity.CRIT, alert.started_at))


def _runs(environment: Environment, now: datetime) -> list[Run]:
    recent = Q(status__in=ACTIVE) | Q(created_at__gte=now - RECENT) | Q(finished_at__gte=now - RECENT)
    return list(Run.objects.filter(recent, environment=environment.name).select_related("requested_by")[:MOST_RUNS])


def _tiles(
    environment: Environment,
    readings: Mapping[str, Reading],
    firing: Iterable[Alert],
    now: datetime,
    *,
    collected: bool,
) -> list[Tile]:
    return [
        tiles.build(
            services[kind],
            environment,
            readings.get(kind),
            [alert for alert in firing if alert.service == kind],
            now,
            collected=collected,
        )
        for kind in SERVICE_KINDS
    ]


def judge(
    shown: list[Tile], firing: list[Alert], as_of: datetime | None, *, collected: bool, silence: str = ""
) -> Verdict:
    """The verdict over the tiles: the worst of them; unknown where the collector, or what drives it, is dead."""
    state = tiles.worst([tile.state for tile in shown])
    verdict = Verdict(
        state=state,
        sentence=_sentence(state, shown, firing),
        detail=_counts(shown),
        since=min((tile.since for tile in shown if tile.state == state and tile.since), default=None),
    )
    if collected:
        return verdict
    if as_of is None:
        return replace(verdict, state=State.UNKNOWN, sentence="NovaOps has not collected anything yet", since=None)
    known = "" if state in (State.UNKNOWN, State.STALE) else f" Last known: {verdict.sentence.rstrip('.')}."
    sentence = f"{silence or f'NovaOps itself has not collected since {as_of:%H:%M:%S} UTC'}.{known}"
    return replace(verdict, state=State.UNKNOWN, sentence=sentence, since=as_of)


def _sentence(state: State, shown: list[Tile], firing: list[Alert]) -> str:
    names = [tile.title for tile in shown if tile.state == state]
    if state == State.OK:
        return f"All {len(shown)} services are healthy"
    if state == State.UNKNOWN:
        return f"Not known: no data of {_listed(names)}"
    if state == State.STALE:
        return f"Not current: old values of {_listed(names)}"
    if state == State.MAINT:
        others = len(shown) - len(names)
        return f"{_listed(names)}: in maintenance" + (f"; the other {others} are healthy" if others else "")
    return next(alert.sentence for alert in firing if alert.severity == state.value)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _counts(shown: list[Tile]) -> str:
    """As in `1 critical, 3 healthy`, in the words of the tiles."""
    states = [tile.state for tile in shown]
    return ", ".join(f"{states.count(state)} {state.word.lower()}" for state in tiles.WORST_FIRST if state in states)


def offers_for(
    firing: Iterable[Alert], user: User_, environment: Environment, incident: int | None = None
) -> list[Offer]:
    """What may help, in the order of the firing rules, the worst first; tied to the incident where there is one."""
    keys = dict.fromkeys(key for alert in firing for key in _offered(alert) if key in actions)
    spent = meters.used(environment) if keys else {}
    found = (offers.offer(user, key, environment, incident, spent=spent) for key in keys)
    return [offer for offer in found if offer][:MOST_OFFERS]


def _offered(alert: Alert) -> tuple[str, ...]:
    service = services.get(alert.service)
    rule = service.every_rule().get(alert.rule) if service else None
    return rule.offers if rule else ()


def _changes(alerts: list[Alert], runs: list[Run], readings: Mapping[str, Reading], now: datetime) -> list[Change]:
    """Alerts, runs and deployments of the last hour, the newest first."""
    found = [*_of_alerts(alerts), *_of_runs(runs), *_of_deployments(readings)]
    recent = [change for change in found if now - RECENT <= change.at]
    return sorted(recent, key=lambda change: change.at, reverse=True)[:MOST_CHANGES]


def _of_alerts(alerts: Iterable[Alert]) -> Iterator[Change]:
    for alert in alerts:
        url = alert.get_absolute_url()
        yield Change(at=alert.fired_at, kind="alert", text=f"{alert.title}: {alert.sentence}", url=url)
        if alert.reopened_at:
            times = "once" if alert.flaps == 1 else f"{alert.flaps} times"
            yield Change(at=alert.reopened_at, kind="alert", text=f"{alert.title} came back ({times})", url=url)
        if alert.cleared_at:
            yield Change(at=alert.cleared_at, kind="alert", text=f"{alert.title} is over", url=url)


def _of_runs(runs: Iterable[Run]) -> Iterator[Change]:
    for run in runs:
        url, what = run.get_absolute_url(), f"{run.title} on {run.target}"
        yield Change(at=run.created_at, kind="run", text=f"{what}, asked for by {run.requested_by}", url=url)
        if run.finished_at:
            yield Change(at=run.finished_at, kind="run", text=f"{what}: {run.get_status_display().lower()}", url=url)


def _of_deployments(readings: Mapping[str, Reading]) -> Iterator[Change]:
    for kind, reading in readings.items():
        for one in reading.facts.get("deployments", []):
            at = parse_datetime(one["at"])
            if at:
                yield Change(at=at, kind="deployment", text=_deployed(services[kind].title, one), url="")


def _deployed(title: str, one: Mapping[str, Any]) -> str:
    state = one["rollout_state"].lower().replace("_", " ")
    return f"{title}: deployment of {one['task_definition']}" + (f", {state}" if state else "")
