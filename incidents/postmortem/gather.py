"""Loads the facts of a post-mortem from the rows of the incident, its alerts, runs, samples and audit entries."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Avg, Count, Max, Min, Sum
from django.utils import timezone
from django.utils.dateparse import parse_datetime

import novaops
from dashboard.models import Alert, Sample, Series
from dashboard.services.base import Series as Declared
from dashboard.services.base import services
from incidents.checklist import spent
from incidents.guard import where
from incidents.health import titles
from incidents.measures import measures
from incidents.models import FollowUp, Incident, Link, TimelineEntry
from incidents.postmortem.story import (
    AlertFact,
    AuditRange,
    Figure,
    FollowUpFact,
    Line,
    RunFact,
    StepFact,
    Story,
)
from novaops.audit import chain
from novaops.audit.models import Entry
from novaops.runbook.models import Run

MOST_LINES = 500
BEFORE = timedelta(hours=1)


def gather(incident: Incident, *, base_url: str) -> Story:
    """The facts as they stand now."""
    now = timezone.now()
    links = list(incident.links.all())
    alerts = Alert.objects.filter(pk__in=[link.ref for link in links if link.kind == Link.Kind.ALERT])
    runs = Run.objects.filter(pk__in=[link.ref for link in links if link.kind == Link.Kind.RUN])
    newest = list(incident.timeline.select_related("author").order_by("-starred", "-at", "-id")[: MOST_LINES + 1])
    told = sorted(newest[:MOST_LINES], key=lambda entry: (entry.at, entry.pk))
    left_out = incident.timeline.count() - MOST_LINES if len(newest) > MOST_LINES else 0
    return Story(
        number=incident.number,
        uid=str(incident.uid),
        title=incident.title,
        severity=incident.severity,
        severity_meaning=incident.grade.meaning,
        state=incident.state,
        environment=incident.environment,
        services=titles(incident.services),
        impact=incident.impact,
        commander=incident.commander.get_username() if incident.commander else "",
        participants=_participants(incident),
        declared_at=incident.declared_at,
        moments=incident.moments,
        measures=tuple(measures(incident.moments)),
        alerts=tuple(_alert(alert) for alert in alerts.order_by("fired_at", "pk")),
        runs=tuple(_run(run) for run in runs.select_related("requested_by").order_by("pk")),
        earlier_runs=_earlier_runs(incident),
        earlier_changes=_earlier_changes(told),
        timeline=tuple(_line(entry) for entry in told),
        timeline_left_out=left_out,
        steps=_steps(incident, now),
        figures=_figures(incident, incident.resolved_at or now),
        follow_ups=tuple(_follow_up(each) for each in incident.follow_ups.select_related("owner")),
        audit=_audit(incident),
        generated_at=now,
        version=novaops.__version__,
        base_url=base_url.rstrip("/"),
    )


def _title(kind: str) -> str:
    return titles([kind])[0]


def _participants(incident: Incident) -> tuple[str, ...]:
    wrote = incident.timeline.filter(author__isnull=False).order_by("author__username")
    held = incident.roles.order_by("user__username")
    names = {*wrote.values_list("author__username", flat=True), *held.values_list("user__username", flat=True)}
    return tuple(sorted(names))


def _alert(alert: Alert) -> AlertFact:
    return AlertFact(
        title=alert.title,
        service=_title(alert.service),
        source=alert.source,
        sentence=alert.sentence,
        started_at=alert.started_at,
        fired_at=alert.fired_at,
        cleared_at=alert.cleared_at,
        value=alert.value,
        threshold=alert.threshold,
    )


def _run(run: Run) -> RunFact:
    return RunFact(
        title=run.title,
        target=run.target,
        service=run.service,
        status=run.status,
        outcome=run.outcome,
        by=run.requested_by.get_username(),
        requested_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        url=run.get_absolute_url(),
        broken_glass=run.broken_glass,
        reason=run.reason,
    )


def _earlier_runs(incident: Incident) -> tuple[RunFact, ...]:
    window = (incident.started_at - BEFORE, incident.started_at)
    runs = Run.objects.filter(environment=incident.environment, created_at__range=window)
    return tuple(_run(run) for run in runs.select_related("requested_by").order_by("pk")[:20])


def _earlier_changes(entries: list[TimelineEntry]) -> tuple[tuple[datetime, str], ...]:
    """Deployments and configuration changes that the overview knew of when the incident was declared."""
    first: TimelineEntry | None = next((entry for entry in entries if entry.data.get("snapshot")), None)
    changes = first.data.get("changes", []) if first else []
    found = [(parse_datetime(at), text) for at, kind, text in changes if kind not in ("alert", "run")]
    return tuple((at, text) for at, text in found if at)


def _line(entry: TimelineEntry) -> Line:
    return Line(
        at=entry.at,
        kind=entry.kind,
        text=entry.text,
        who=entry.who,
        url=entry.url,
        key=entry.starred,
        late=entry.late and entry.author_id is not None,
    )


def _steps(incident: Incident, now: datetime) -> tuple[StepFact, ...]:
    rows = list(incident.steps.select_related("done_by").prefetch_related("items"))
    return tuple(
        StepFact(
            title=row.title,
            state=row.get_state_display().lower(),
            done_at=row.done_at,
            by=row.done_by.get_username() if row.done_by else "NovaOps" if row.done_at else "",
            took_s=spent(row, rows, incident.declared_at, now).total_seconds() if row.done_at else None,
            override_reason=row.override_reason,
            evidence=tuple(_proof(piece, row.done_at or now) for piece in row.evidence),
            open_items=tuple(item.text for item in row.items.all() if not item.done_at) if row.done_at else (),
        )
        for row in rows
    )


def _proof(piece: dict[str, str], otherwise: datetime) -> tuple[datetime, str, str]:
    return parse_datetime(piece["at"]) or otherwise, piece["kind"], piece["text"]


def _figures(incident: Incident, until: datetime) -> tuple[Figure, ...]:
    series = Series.objects.filter(environment=incident.environment, service__in=incident.services)
    known = {row.pk: row for row in series}
    totals = (
        Sample.objects.filter(series__in=list(known), at__range=(incident.started_at, until))
        .values("series_id")
        .annotate(low=Min("value"), average=Avg("value"), high=Max("value"), total=Sum("value"), samples=Count("value"))
    )
    declared = _declared(incident)
    figures = []
    for row in totals:
        one = known[row["series_id"]]
        figures.append(_figure(one, declared.get((one.service, one.name)), row))
    return tuple(sorted(figures, key=lambda figure: (figure.service, figure.series)))


def _declared(incident: Incident) -> dict[tuple[str, str], Declared]:
    place = where(incident)
    return {(kind, one.name): one for kind, service in services.items() for one in service.series_in(place)}


def _figure(series: Series, known: Declared | None, numbers: Mapping[str, Any]) -> Figure:
    return Figure(
        service=_title(series.service),
        series=f"{series.name} {series.resource}".rstrip(),
        unit=series.unit,
        low=numbers["low"],
        average=numbers["average"],
        high=numbers["high"],
        total=numbers["total"],
        samples=int(numbers["samples"]),
        source=(known.metric or known.source) if known else series.service,
        counts=known is not None and known.statistic == "Sum",
    )


def _follow_up(each: FollowUp) -> FollowUpFact:
    return FollowUpFact(
        title=each.title,
        kind=each.kind,
        owner=each.owner.get_username() if each.owner else "",
        due=each.due,
        state=each.state,
    )


def _audit(incident: Incident) -> AuditRange:
    seqs = (
        Entry.objects.filter(incident=incident.number).order_by().aggregate(n=Count("seq"), a=Min("seq"), z=Max("seq"))
    )
    head_seq, head_hash = chain.head()
    return AuditRange(
        entries=seqs["n"], first_seq=seqs["a"] or 0, last_seq=seqs["z"] or 0, head_seq=head_seq, head_hash=head_hash
    )
