"""What belongs to an incident by itself: its alerts, and the runs on what it affects, each told once."""

from datetime import datetime

from dashboard.models import Alert
from incidents.models import Incident, Link
from incidents.timeline import Kind, append
from novaops.runbook.models import Run
from novaops.runbook.states import ACTIVE, FINISHED, RunStatus

# The changes of a run that are worth a line; the others are on the run's own page.
TOLD = (RunStatus.AWAITING_APPROVAL, RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.UNKNOWN, *FINISHED)


def link_alert(incident: Incident, alert: Alert) -> None:
    """Tie the alert to the incident and tell that it fired, and that it cleared where it has."""
    link(incident, Link.Kind.ALERT, alert.pk)
    append(
        incident,
        Kind.ALERT,
        f"{alert.title} fired: {alert.sentence}",
        at=alert.fired_at,
        url=alert.get_absolute_url(),
        data={"alert": alert.pk, "service": alert.service, "rule": alert.rule, "severity": alert.severity},
        dedup_key=f"alert:{alert.pk}:fired",
        starred=alert.fired_at == incident.detected_at,
    )
    if alert.cleared_at:
        tell_cleared(incident, alert)


def tell_cleared(incident: Incident, alert: Alert) -> None:
    append(
        incident,
        Kind.ALERT,
        f"{alert.title} cleared",
        at=alert.cleared_at,
        url=alert.get_absolute_url(),
        data={"alert": alert.pk, "service": alert.service, "rule": alert.rule, "cleared": True},
        dedup_key=f"alert:{alert.pk}:cleared" + (f":{alert.flaps}" if alert.flaps else ""),
    )


def tell_reopened(incident: Incident, alert: Alert) -> None:
    append(
        incident,
        Kind.ALERT,
        f"{alert.title} came back: {alert.sentence}",
        at=alert.reopened_at,
        url=alert.get_absolute_url(),
        data={"alert": alert.pk, "service": alert.service, "rule": alert.rule, "severity": alert.severity},
        dedup_key=f"alert:{alert.pk}:reopened:{alert.flaps}",
    )


def link_run(incident: Incident, run: Run) -> None:
    """Tie the run to the incident and tell the state it has reached."""
    link(incident, Link.Kind.RUN, run.pk)
    status = RunStatus(run.status)
    if status not in TOLD:
        return
    sentence = run.outcome or (run.reason if status in (RunStatus.QUEUED, RunStatus.AWAITING_APPROVAL) else "")
    append(
        incident,
        Kind.RUN,
        f"{run.title} on {run.target}: {status.label.lower()}" + (f". {sentence}" if sentence else ""),
        by=run.requested_by if status in (RunStatus.QUEUED, RunStatus.AWAITING_APPROVAL) else None,
        at=_reached_at(run, status),
        url=run.get_absolute_url(),
        data={"run": run.pk, "service": run.service, "status": str(status)},
        dedup_key=f"run:{run.pk}:{status}",
    )


def tell_judged(incident: Incident, run: Run) -> None:
    """Tell that somebody said whether the run helped."""
    append(
        incident,
        Kind.RUN,
        f"{run.title} on {run.target}: {'worked' if run.worked else 'did not work'}, says {run.judged_by}",
        by=run.judged_by,
        at=run.judged_at,
        url=run.get_absolute_url(),
        data={"run": run.pk, "service": run.service, "worked": run.worked},
        dedup_key=f"run:{run.pk}:judged",
    )


def _reached_at(run: Run, status: RunStatus) -> datetime | None:
    if status in FINISHED:
        return run.finished_at
    return run.started_at if status == RunStatus.RUNNING else run.created_at if status != RunStatus.UNKNOWN else None


def link_what_is_there(incident: Incident) -> None:
    """Tie what already is on the affected services: alerts that fire, and runs."""
    for alert in Alert.objects.filter(
        environment=incident.environment, service__in=incident.services, cleared_at=None
    ).order_by("fired_at"):
        link_alert(incident, alert)
    _link_recent_runs(incident)


def _link_recent_runs(incident: Incident) -> None:
    """Tie the runs that were on the affected services when, or after, the incident began."""
    runs = Run.objects.filter(environment=incident.environment, service__in=incident.services)
    running = runs.filter(status__in=ACTIVE)
    since = runs.filter(created_at__gte=incident.started_at)
    for run in (running | since).select_related("requested_by").order_by("pk"):
        link_run(incident, run)


def link(incident: Incident, kind: Link.Kind, ref: int) -> None:
    Link.objects.bulk_create([Link(incident=incident, kind=kind, ref=ref)], ignore_conflicts=True)
