"""What incidents teach together: times by severity, service and month, contributing factors, actions, alert noise."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef

from dashboard.models import Alert
from incidents.health import titles
from incidents.measures import PAIRS, Measure, measures
from incidents.models import Incident, Link, Postmortem
from incidents.postmortem.factors import WORDS, Factor
from incidents.statistics import ENOUGH, Summary, of_seconds, summary
from novaops.audit.export import csv_lines
from novaops.runbook.models import Run
from novaops.runbook.states import FINISHED, RunStatus

SPANS = {"30": "30 days", "90": "90 days", "365": "a year", "all": "all time"}
SHOWN = ("Time to detect", "Time to acknowledge", "Time to mitigate", "Time to resolve")
# Where each stands among the measures of an incident.
MEASURED = tuple((at, name) for at, (name, *_) in enumerate(PAIRS) if name in SHOWN)
SHORT = {"Time to detect": "MTTD", "Time to acknowledge": "MTTA", "Time to mitigate": "MTTM", "Time to resolve": "MTTR"}
MOST_INCIDENTS = 10_000
READ = (
    *("number", "title", "severity", "services", "state"),
    *("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at"),
)
# An alert that is over so soon told of something that nobody could have acted upon.
BRIEF = timedelta(minutes=2)
UNSAID = "Not said yet"


@dataclass(frozen=True, kw_only=True)
class Told:
    """One incident with its measures; `factor` is empty until its post-mortem is published."""

    incident: Incident
    measures: tuple[Measure, ...]
    factor: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Some incidents of one kind, and their times."""

    name: str
    incidents: int
    times: tuple[Summary, ...]


@dataclass(frozen=True, kw_only=True)
class Acted:
    """One action: how often it was run, how it ended, how long it took where it succeeded."""

    title: str
    runs: int
    succeeded: int
    failed: int
    unknown: int
    other: int
    helped: int
    did_not_help: int
    took: Summary

    @property
    def success(self) -> str:
        """The share that succeeded, of those that ended; of few, the count."""
        ended = self.succeeded + self.failed + self.unknown
        if ended < ENOUGH:
            return f"{self.succeeded} of {ended}" if ended else "none ended"
        return f"{100 * self.succeeded / ended:.0f} % of {ended}"


@dataclass(frozen=True, kw_only=True)
class Noise:
    """One alert: how often it fired, flapped, was over at once, and was part of no incident."""

    title: str
    service: str
    fired: int
    flaps: int
    brief: int
    alone: int
    lasted: Summary


def incidents(environment: str, since: datetime | None) -> list[Told]:
    """The real incidents that began since then, newest first."""
    found = Incident.objects.filter(environment=environment, is_drill=False).exclude(state=Incident.State.MERGED)
    if since:
        found = found.filter(started_at__gte=since)
    factors = dict(
        Postmortem.objects.filter(incident__in=found, published_at__isnull=False).values_list("incident_id", "factor")
    )
    return [
        Told(incident=one, measures=tuple(measures(one.moments)), factor=factors.get(one.pk, ""))
        for one in found.only(*READ).order_by("-number")[:MOST_INCIDENTS]
    ]


def by(told: Iterable[Told], names: Callable[[Incident], Iterable[str]]) -> list[Group]:
    """The incidents grouped by `names`; one that has several names counts under each."""
    groups: defaultdict[str, list[Told]] = defaultdict(list)
    for one in told:
        for name in names(one.incident):
            groups[name].append(one)
    return [_group(name, groups[name]) for name in sorted(groups)]


def everything(told: list[Told]) -> Group:
    return _group("All", told)


def _group(name: str, told: list[Told]) -> Group:
    times = (summary(each, (one.measures[at] for one in told)) for at, each in MEASURED)
    return Group(name=name, incidents=len(told), times=tuple(times))


def by_severity(told: list[Told]) -> list[Group]:
    return by(told, lambda incident: [incident.severity])


def by_service(told: list[Told]) -> list[Group]:
    return by(told, lambda incident: titles(incident.services))


def by_month(told: list[Told]) -> list[Group]:
    """By the month in which they began, in UTC."""
    return by(told, lambda incident: [f"{incident.started_at:%Y-%m}"])


def by_factor(told: list[Told]) -> list[tuple[str, int]]:
    """How many each contributing factor mattered most in, the most frequent first; unpublished ones have not said."""
    counts = Counter(WORDS[Factor(one.factor)] if one.factor in set(Factor) else UNSAID for one in told)
    return counts.most_common()


def actions(environment: str, since: datetime | None) -> list[Acted]:
    """Every action that was run, the most frequent first."""
    runs = Run.objects.filter(environment=environment, **({"created_at__gte": since} if since else {}))
    columns = ("title", "status", "worked", "started_at", "finished_at")
    found: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for title, *rest in runs.values_list(*columns).order_by("pk"):
        found[title].append(tuple(rest))
    return sorted((_acted(title, rows) for title, rows in found.items()), key=lambda one: (-one.runs, one.title))


def _acted(title: str, rows: list[tuple[Any, ...]]) -> Acted:
    ended = Counter(status for status, *_ in rows)
    good, bad, lost = ended[RunStatus.SUCCEEDED], ended[RunStatus.FAILED], ended[RunStatus.UNKNOWN]
    took = [
        (finished - started).total_seconds()
        for status, _, started, finished in rows
        if status == RunStatus.SUCCEEDED and started and finished
    ]
    return Acted(
        title=title,
        runs=len(rows),
        succeeded=good,
        failed=bad,
        unknown=lost,
        other=sum(ended[status] for status in FINISHED) - good - bad,
        helped=sum(worked is True for _, worked, *_ in rows),
        did_not_help=sum(worked is False for _, worked, *_ in rows),
        took=of_seconds("Duration", took),
    )


def noise(environment: str, since: datetime | None) -> list[Noise]:
    """Every alert that fired, the most frequent first."""
    tied = Link.objects.filter(kind=Link.Kind.ALERT, ref=OuterRef("pk"))
    alerts = Alert.objects.filter(environment=environment, **({"fired_at__gte": since} if since else {}))
    found: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for alert in alerts.annotate(tied=Exists(tied)):
        found[(alert.title, alert.service)].append(alert)
    return sorted((_noise(*key, rows) for key, rows in found.items()), key=lambda one: (-one.fired, one.title))


def _noise(title: str, service: str, alerts: list[Any]) -> Noise:
    lasted = [alert.cleared_at - alert.fired_at for alert in alerts if alert.cleared_at]
    return Noise(
        title=title,
        service=titles([service])[0],
        fired=len(alerts),
        flaps=sum(alert.flaps for alert in alerts),
        brief=sum(length < BRIEF for length in lasted),
        alone=sum(not alert.tied for alert in alerts),
        lasted=of_seconds("Fired for", [length.total_seconds() for length in lasted]),
    )


COLUMNS = ("incident", "title", "severity", "services", "state", "factor", "started_at", "measure", "known", "seconds")


def rows(told: Iterable[Told]) -> Iterator[dict[str, Any]]:
    """Every measure of every incident, known or not; seconds are empty unless it is recorded."""
    for one in told:
        incident = one.incident
        for measure in one.measures:
            yield {
                "incident": incident.number,
                "title": incident.title,
                "severity": incident.severity,
                "services": " ".join(incident.services),
                "state": incident.state,
                "factor": one.factor,
                "started_at": incident.started_at.isoformat(),
                "measure": measure.name,
                "known": str(measure.known),
                "seconds": measure.seconds,
            }


def as_csv(told: Iterable[Told]) -> Iterator[str]:
    return csv_lines(COLUMNS, (row.values() for row in rows(told)))


def as_json(environment: str, since: datetime | None) -> dict[str, Any]:
    """All that the page shows, and every measure behind it."""
    told = incidents(environment, since)
    groups = {
        "all": [everything(told)],
        "severity": by_severity(told),
        "service": by_service(told),
        "month": by_month(told),
    }
    return {
        "environment": environment,
        "since": since,
        "times": {kind: [_group_json(group) for group in found] for kind, found in groups.items()},
        "factors": [{"factor": word, "incidents": count} for word, count in by_factor(told)],
        "actions": [{**vars(one), "took": one.took.as_json()} for one in actions(environment, since)],
        "alerts": [{**vars(one), "lasted": one.lasted.as_json()} for one in noise(environment, since)],
        "measures": list(rows(told)),
    }


def _group_json(group: Group) -> dict[str, Any]:
    return {"name": group.name, "incidents": group.incidents, "times": [one.as_json() for one in group.times]}
