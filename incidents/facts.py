"""Loads what the evidence of an incident is read from: a fixed number of queries, whatever its size."""

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from dashboard import overview
from dashboard.models import Alert
from incidents import frozen, health
from incidents.evidence import Evidence, Facts
from incidents.models import PROOF, ChecklistStep, FollowUp, Incident, Link, Postmortem, TimelineEntry
from incidents.steps import StepKey
from novaops.environment import Environment
from novaops.runbook.models import Run
from novaops.runbook.states import RunStatus

# A service without an alert for this long is simply healthy; further back nobody looks.
LOOK_BACK = timedelta(days=1)
# More pieces prove no better, and nobody reads them.
MOST_PROOF = 100


def load(incident: Incident, environment: Environment, shown: overview.Overview | None = None) -> Facts:
    """The facts as they stand now; `shown` where the caller has it."""
    newest = incident.timeline.filter(PROOF).select_related("author").order_by("-at", "-id")
    entries = list(newest[:MOST_PROOF])[::-1]
    alerts = _alerts(incident)
    return Facts(
        now=timezone.now(),
        services=health.titles(incident.services),
        severity=incident.severity,
        commander=incident.commander.get_username() if incident.commander else "",
        alerts=tuple(_fired(alert) for alert in alerts if alert.linked),
        reports=_told(entries, "report"),
        snapshot=next(iter(_told(entries, "snapshot")[-1:]), None),
        messages=tuple(_evidence(entry) for entry in entries if entry.kind == TimelineEntry.Kind.MESSAGE),
        untold=_untold(incident, environment, entries),
        succeeded_runs=_succeeded(incident),
        no_action=_told(entries, "no_action"),
        health=health.of(shown or overview.build(environment), incident.services, alerts),
        error_rate=frozen.error_rate(incident, environment),
        verify_for_s=environment.verify_for_s,
        open_before=_open_before(incident),
        resolved_at=incident.resolved_at,
        exported=_exported(incident),
        published=_published(incident),
        loose_follow_ups=_loose(incident) if not incident.is_open else (),
    )


def _alerts(incident: Incident) -> list[Any]:
    """The incident's alerts (`linked`), and those that cleared lately on what it affects."""
    lately = Q(
        environment=incident.environment,
        service__in=incident.services,
        cleared_at__gte=timezone.now() - LOOK_BACK,
    )
    linked = Q(pk__in=_linked(incident, Link.Kind.ALERT))
    return list(Alert.objects.filter(lately | linked).annotate(linked=linked))


def _fired(alert: Alert) -> Evidence:
    return Evidence(
        kind="alert",
        at=alert.fired_at,
        text=f"{alert.title}: {alert.sentence} (from {alert.source})",
        url=alert.get_absolute_url(),
    )


def _linked(incident: Incident, kind: Link.Kind) -> QuerySet[Link, int]:
    return incident.links.filter(kind=kind).values_list("ref", flat=True)


def _untold(incident: Incident, environment: Environment, entries: list[TimelineEntry]) -> tuple[str, ...]:
    """Slack and the status page, where nothing was told yet; what no customer notices needs no status page."""
    channels = {entry.data.get("channel") for entry in entries if entry.kind == TimelineEntry.Kind.MESSAGE}
    wanted = {"slack": environment.slack, "status-page": environment.status_page if _noticed(incident) else None}
    words = {"slack": "Slack", "status-page": "the status page"}
    return tuple(words[channel] for channel, declared in wanted.items() if declared and channel not in channels)


def _noticed(incident: Incident) -> bool:
    return incident.severity != "SEV4"


def _told(entries: list[TimelineEntry], mark: str) -> tuple[Evidence, ...]:
    return tuple(_evidence(entry) for entry in entries if entry.data.get(mark))


def _evidence(entry: TimelineEntry) -> Evidence:
    by = f" ({entry.author})" if entry.author_id else ""
    return Evidence(kind=entry.kind, at=entry.at, text=f"{entry.text}{by}", url=entry.url)


def _succeeded(incident: Incident) -> tuple[Evidence, ...]:
    linked = Run.objects.filter(pk__in=_linked(incident, Link.Kind.RUN))
    runs = linked.filter(status=RunStatus.SUCCEEDED, service__in=incident.services)
    return tuple(
        Evidence(
            kind="run",
            at=run.finished_at or run.created_at,
            text=f"{run.title} on {run.target}: {run.outcome or 'succeeded'}",
            url=run.get_absolute_url(),
        )
        for run in runs
    )


def _open_before(incident: Incident) -> tuple[str, ...]:
    before = (StepKey.DETECT, StepKey.ASSESS, StepKey.COMMUNICATE, StepKey.MITIGATE)
    return tuple(
        step.title for step in incident.steps.all() if step.key in before and step.state == ChecklistStep.State.OPEN
    )


def _published(incident: Incident) -> Evidence | None:
    document: Postmortem | None = getattr(incident, "postmortem", None)
    if not document or not document.published_at:
        return None
    return Evidence(kind="review", at=document.published_at, text=f"Version {document.published_version} published")


def _loose(incident: Incident) -> tuple[str, ...]:
    """Open follow-ups that nobody owns who is still here, or that have no date."""
    lacks = Q(owner=None) | Q(owner__is_active=False) | Q(due=None)
    lacking = incident.follow_ups.filter(lacks, state=FollowUp.State.OPEN)
    return tuple(lacking.values_list("title", flat=True))


def _exported(incident: Incident) -> Evidence | None:
    document: Postmortem | None = getattr(incident, "postmortem", None)
    if not document or not document.exported_at:
        return None
    text = f"Version {document.exported_version} exported to {document.path}"
    return Evidence(kind="export", at=document.exported_at, text=text)
