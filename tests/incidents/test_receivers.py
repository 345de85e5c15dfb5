"""Alerts and runs find the timeline by themselves, once."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.models import Alert
from dashboard.signals import alert_fired, alert_reopened
from incidents import broken_glass, checklist
from incidents.models import Incident
from novaops import environment as environments
from novaops.runbook import judgements
from novaops.runbook.models import Run
from novaops.runbook.signals import run_changed, run_finished

Declare = Callable[..., Incident]
pytestmark = pytest.mark.django_db


def told(incident: Incident, kind: str) -> list[str]:
    return list(incident.timeline.filter(kind=kind).values_list("text", flat=True))


def test_an_alert_on_an_affected_service_joins_the_open_incident(
    declare: Declare, make_alert: Callable[..., Alert], responder: User
) -> None:
    incident = declare(responder)
    later = make_alert(rule="errors", title="Errors", sentence="12 % of requests fail")
    for _ in range(2):
        alert_fired.send(sender=Alert, alert=later)
    assert told(incident, "alert")[-1] == "Errors fired: 12 % of requests fail"
    assert len(told(incident, "alert")) == 2
    assert incident.links.filter(kind="alert").count() == 2


def test_an_alert_elsewhere_does_not_join(declare: Declare, make_alert: Callable[..., Alert], responder: User) -> None:
    incident = declare(responder)
    alert_fired.send(sender=Alert, alert=make_alert(service="cache", rule="evictions"))
    assert len(told(incident, "alert")) == 1


def test_an_alert_that_clears_is_told(declare: Declare, clear: Callable[..., None], responder: User) -> None:
    incident = declare(responder)
    clear(Alert.objects.get())
    assert told(incident, "alert")[-1] == "High CPU cleared"


def test_an_alert_that_comes_back_is_told_each_time(
    declare: Declare, clear: Callable[..., None], responder: User
) -> None:
    incident = declare(responder)
    alert = Alert.objects.get()
    for _ in range(2):
        clear(alert)
        alert.flaps, alert.reopened_at, alert.cleared_at = alert.flaps + 1, timezone.now(), None
        alert_reopened.send(sender=Alert, alert=alert)
    assert [text.removeprefix("High CPU ").partition(":")[0] for text in told(incident, "alert")] == [
        "fired",
        *("cleared", "came back") * 2,
    ]


def test_a_run_on_an_affected_service_is_told_step_by_step(
    declare: Declare, make_run: Callable[..., Run], commander: User
) -> None:
    incident = declare(commander)
    run = make_run(commander)
    for status in ("queued", "running", "running", "verifying", "succeeded"):
        run.status = status
        run_changed.send(Run, run=run)
    run.outcome, run.finished_at = "All tasks are new.", timezone.now()
    run_finished.send(Run, run=run)
    assert told(incident, "run") == [
        "Restart the API server on nova-api: queued. CPU is high",
        "Restart the API server on nova-api: running",
        "Restart the API server on nova-api: succeeded",
    ]


def test_what_somebody_says_of_a_run_is_told_once(
    declare: Declare, make_run: Callable[..., Run], commander: User
) -> None:
    incident = declare(commander)
    run = make_run(commander, status="succeeded", finished_at=timezone.now(), incident=incident.number)
    run_finished.send(Run, run=run)
    judgements.judge(run, worked=False, by=commander)
    assert told(incident, "run")[-1] == "Restart the API server on nova-api: did not work, says commander"


def test_a_run_that_names_the_incident_joins_also_from_another_service(
    declare: Declare, make_run: Callable[..., Run], commander: User
) -> None:
    incident = declare(commander)
    named = make_run(commander, incident=incident.number, service="cache", target="nova-cache")
    other = make_run(commander, service="cache", target="another")
    for run in (named, other):
        run_changed.send(Run, run=run)
    assert list(incident.links.filter(kind="run").values_list("ref", flat=True)) == [named.pk]


def test_a_resolved_incident_takes_no_new_runs(worked: Incident, make_run: Callable[..., Run], commander: User) -> None:
    checklist.complete(worked.number, "resolve", by=commander)
    before = worked.links.count()
    run_changed.send(Run, run=make_run(commander))
    assert worked.links.count() == before


def test_a_broken_glass_is_told_in_the_open_and_owes_a_follow_up_once(
    declare: Declare, make_run: Callable[..., Run], commander: User
) -> None:
    incident = declare(commander)
    run = make_run(commander)
    run.broken_glass = True
    for _ in range(2):
        run_changed.send(Run, run=run)
    assert any("The glass was broken for Restart the API server" in text for text in told(incident, "run"))
    follow_up = incident.follow_ups.get()
    assert (follow_up.owner, follow_up.title) == (
        commander,
        f"Broken glass: review Restart the API server on nova-api (run {run.pk})",
    )


def test_only_an_open_sev1_lets_the_glass_be_broken(declare: Declare, commander: User) -> None:
    incident = declare(commander)
    here = environments.default()
    Incident.objects.filter(pk=incident.pk).update(severity="SEV2")
    assert broken_glass.open_sev1(here) is None
    Incident.objects.filter(pk=incident.pk).update(severity="SEV1")
    assert broken_glass.open_sev1(here) == incident.number
    Incident.objects.filter(pk=incident.pk).update(state=Incident.State.RESOLVED)
    assert broken_glass.open_sev1(here) is None
