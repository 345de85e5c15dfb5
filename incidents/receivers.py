"""Alerts and runs put themselves on the timeline of the open incident that they belong to."""

from typing import Any

from django.db.models import Q, QuerySet

from dashboard.models import Alert
from dashboard.signals import alert_cleared, alert_fired, alert_reopened
from incidents import broken_glass, telling
from incidents.links import link_alert, link_run, tell_cleared, tell_judged, tell_reopened
from incidents.models import Incident, Link
from novaops import live
from novaops.outbox.models import Message
from novaops.outbox.signals import message_changed
from novaops.runbook.models import Run
from novaops.runbook.signals import run_changed, run_finished, run_judged


def connect() -> None:
    """Listen; called once, when the apps are ready."""
    alert_fired.connect(on_alert_fired, dispatch_uid="incidents.alert_fired")
    alert_cleared.connect(on_alert_cleared, dispatch_uid="incidents.alert_cleared")
    alert_reopened.connect(on_alert_reopened, dispatch_uid="incidents.alert_reopened")
    run_changed.connect(on_run_changed, dispatch_uid="incidents.run_changed")
    run_finished.connect(on_run_changed, dispatch_uid="incidents.run_finished")
    message_changed.connect(on_message_changed, dispatch_uid="incidents.message_changed")
    run_judged.connect(on_run_judged, dispatch_uid="incidents.run_judged")


def on_alert_fired(*, alert: Alert, **_: Any) -> None:
    """Tie a firing alert to every open incident that affects its service."""
    for incident in _open_in(alert.environment).filter(services__contains=[alert.service]):
        link_alert(incident, alert)
    # Where none covers it, the overview offers to open one.
    live.publish(f"overview:{alert.environment}")


def on_alert_cleared(*, alert: Alert, **_: Any) -> None:
    """Tell the incidents that have the alert, also the resolved ones, that it cleared."""
    for incident in _whole().filter(links__kind=Link.Kind.ALERT, links__ref=alert.pk):
        tell_cleared(incident, alert)


def on_alert_reopened(*, alert: Alert, **_: Any) -> None:
    """Tell the incidents that have the alert that it came back; it joins the open ones that cover it."""
    on_alert_fired(alert=alert)
    for incident in _whole().filter(links__kind=Link.Kind.ALERT, links__ref=alert.pk):
        tell_reopened(incident, alert)


def on_run_changed(*, run: Run, **_: Any) -> None:
    """Tie a run to the incident it names, and to the open ones whose services it acts on."""
    named = Q(number=run.incident) | Q(merged__number=run.incident) if run.incident is not None else Q(pk=None)
    covered = Q(environment=run.environment, state=Incident.State.OPEN, services__contains=[run.service])
    linked = Q(links__kind=Link.Kind.RUN, links__ref=run.pk)
    for incident in _whole().filter(named | covered | linked).distinct():
        link_run(incident, run)
        broken_glass.follow_up(incident, run)


def on_run_judged(*, run: Run, **_: Any) -> None:
    """Tell the incidents that have the run what somebody said of it."""
    for incident in _whole().filter(links__kind=Link.Kind.RUN, links__ref=run.pk):
        tell_judged(incident, run)


def on_message_changed(*, message: Message, **_: Any) -> None:
    """Tell the incident that a message belongs to what came of it."""
    telling.on_message_changed(message)


def _whole() -> QuerySet[Incident]:
    """Every incident that is not a part of another one."""
    return Incident.objects.exclude(state=Incident.State.MERGED)


def _open_in(environment: str) -> QuerySet[Incident]:
    return Incident.objects.filter(environment=environment, state=Incident.State.OPEN)
