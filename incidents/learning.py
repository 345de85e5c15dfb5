"""What incidents teach together: times by severity, service and month, contributing factors, actions, alert noise.

The database sums up, each table in one query; a test computes the times again, one by one, with `measures`.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import Case, Count, F, QuerySet, Value, When

from incidents import learning_sql as sql
from incidents.health import titles
from incidents.measures import SHORT, Known, measures
from incidents.models import Incident, Postmortem
from incidents.postmortem.factors import WORDS, Factor
from incidents.statistics import ENOUGH, SPREAD_COLUMNS, Summary, of_spread
from novaops.audit.export import csv_lines

SPANS = {"30": "30 days", "90": "90 days", "365": "a year", "all": "all time"}
READ = (
    *("number", "title", "severity", "services", "state", "declared_at"),
    *("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at"),
)
A_READ, PIECES = 1_000, 500
UNSAID = "Not said yet"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Some incidents of one kind, and their times."""

    name: str
    incidents: int
    times: tuple[Summary, ...]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "incidents": self.incidents, "times": [one.as_json() for one in self.times]}


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


def real(environment: str, since: datetime | None) -> QuerySet[Incident]:
    """The incidents that began since then, without rehearsals and those merged into others."""
    found = Incident.objects.filter(environment=environment, is_drill=False).exclude(state=Incident.State.MERGED)
    return found.filter(started_at__gte=since) if since else found


def times(environment: str, since: datetime | None) -> dict[str, list[Group]]:
    """The times of them all, by severity, by service and by the month in which they began, in UTC.

    An incident that affects several services counts under each.
    """
    found: dict[str, list[Group]] = {"all": [], "severity": [], "service": [], "month": []}
    for kind, name, count, *columns in _rows(sql.TIMES, environment, since):
        if count:
            word = titles([name])[0] if kind == "service" else name
            found[kind].append(Group(name=word, incidents=count, times=tuple(_times(columns))))
    return {kind: sorted(groups, key=lambda group: group.name) for kind, groups in found.items()}


def _times(columns: list[Any]) -> Iterator[Summary]:
    unknown = (Known.PENDING, Known.NOT_APPLICABLE, Known.INVALID)
    wide = SPREAD_COLUMNS + len(unknown)
    for at, name in enumerate(SHORT):
        own = columns[at * wide : (at + 1) * wide]
        yield of_spread(name, own[:SPREAD_COLUMNS], dict(zip(unknown, own[SPREAD_COLUMNS:], strict=True)))


def _rows(query: str, environment: str, since: datetime | None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"environment": environment, "since": since})
        return list(cursor.fetchall())


def by_factor(environment: str, since: datetime | None) -> list[tuple[str, int]]:
    """How many each contributing factor mattered most in, the most frequent first; unpublished ones have not said."""
    found = real(environment, since)
    published = Postmortem.objects.filter(incident__in=found, published_at__isnull=False, factor__in=list(Factor))
    said = published.order_by().values_list("factor").annotate(Count("pk"))
    counts = {WORDS[Factor(factor)]: count for factor, count in said}
    unsaid = found.count() - sum(counts.values())
    return sorted([*counts.items(), *([(UNSAID, unsaid)] if unsaid else [])], key=lambda one: -one[1])


def actions(environment: str, since: datetime | None) -> list[Acted]:
    """Every action that was run, the most frequent first."""
    found = (_acted(*row) for row in _rows(sql.ACTIONS, environment, since))
    return sorted(found, key=lambda one: (-one.runs, one.title))


def _acted(title: str, runs: int, good: int, bad: int, lost: int, other: int, yes: int, no: int, *took: Any) -> Acted:
    return Acted(
        title=title,
        runs=runs,
        succeeded=good,
        failed=bad,
        unknown=lost,
        other=other,
        helped=yes,
        did_not_help=no,
        took=of_spread("Duration", took),
    )


def noise(environment: str, since: datetime | None) -> list[Noise]:
    """Every alert that fired, the most frequent first."""
    found = (_noise(*row) for row in _rows(sql.NOISE, environment, since))
    return sorted(found, key=lambda one: (-one.fired, one.title))


def _noise(title: str, service: str, fired: int, flaps: int, brief: int, alone: int, *lasted: Any) -> Noise:
    return Noise(
        title=title,
        service=titles([service])[0],
        fired=fired,
        flaps=flaps,
        brief=brief,
        alone=alone,
        lasted=of_spread("Fired for", lasted),
    )


COLUMNS = ("incident", "title", "severity", "services", "state", "factor", "started_at", "measure", "known", "seconds")


def rows(environment: str, since: datetime | None) -> Iterator[dict[str, Any]]:
    """Every measure of every incident, the newest first, known or not; seconds are empty unless it is recorded."""
    published = When(postmortem__published_at__isnull=False, then=F("postmortem__factor"))
    found = real(environment, since).only(*READ).annotate(factor=Case(published, default=Value("")))
    for incident in found.order_by("-number").iterator(chunk_size=A_READ):
        for measure in measures(incident.moments):
            yield {
                "incident": incident.number,
                "title": incident.title,
                "severity": incident.severity,
                "services": " ".join(incident.services),
                "state": incident.state,
                "factor": incident.factor,
                "started_at": incident.started_at.isoformat(),
                "measure": measure.name,
                "known": str(measure.known),
                "seconds": measure.seconds,
            }


def as_csv(environment: str, since: datetime | None) -> Iterator[str]:
    return joined(csv_lines(COLUMNS, (row.values() for row in rows(environment, since))))


def as_json(environment: str, since: datetime | None) -> Iterator[str]:
    """All that the page shows, and every measure behind it, piece by piece."""
    head = {
        "environment": environment,
        "since": since,
        "times": {kind: [group.as_json() for group in found] for kind, found in times(environment, since).items()},
        "factors": [{"factor": word, "incidents": count} for word, count in by_factor(environment, since)],
        "actions": [{**vars(one), "took": one.took.as_json()} for one in actions(environment, since)],
        "alerts": [{**vars(one), "lasted": one.lasted.as_json()} for one in noise(environment, since)],
    }
    return json_pieces(head, "measures", rows(environment, since))


def json_pieces(head: dict[str, Any], name: str, found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A JSON object whose last member is a list that is never held whole."""
    yield f"{json.dumps(head, cls=DjangoJSONEncoder)[:-1]}{', ' if head else ''}{json.dumps(name)}: ["
    written, before = (json.dumps(row, cls=DjangoJSONEncoder) for row in found), ""
    while some := ", ".join(islice(written, PIECES)):
        yield f"{before}{some}"
        before = ", "
    yield "]}"


def joined(lines: Iterator[str]) -> Iterator[str]:
    """Many lines at a time, each of which is sent by itself."""
    while some := "".join(islice(lines, PIECES)):
        yield some
