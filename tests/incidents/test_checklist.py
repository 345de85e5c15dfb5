"""Steps close on evidence or by a named override; the incident is resolved only while Nova is healthy."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from dashboard.models import Alert
from incidents import checklist
from incidents import incident as decide
from incidents.guard import Refused
from incidents.models import Incident
from novaops.audit.models import Entry
from novaops.runbook.models import Run

Declare = Callable[..., Incident]
pytestmark = pytest.mark.django_db
UNTOLD = ["Nothing is told on Slack yet.", "Nothing is told on the status page yet."]


def reasons(refusal: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [reason.sentence for reason in refusal.value.reasons]


def test_a_step_without_its_evidence_is_refused_with_every_reason(declare: Declare, responder: User) -> None:
    number = declare(responder).number
    with pytest.raises(Refused) as refusal:
        checklist.complete(number, "communicate", by=responder)
    assert reasons(refusal) == ["Nobody commands the incident.", *UNTOLD]
    assert not Entry.objects.filter(verb="incident.step").exists()


def test_a_step_closes_on_its_evidence_which_it_keeps(declare: Declare, responder: User) -> None:
    incident = declare(responder)
    checklist.complete(incident.number, "assess", by=responder)
    step = incident.steps.get(key="assess")
    assert (step.state, step.done_by) == ("done", responder)
    assert step.evidence[0]["text"] == "SEV2: API server"
    assert Entry.objects.order_by("-seq")[0].detail["step"] == "assess"


def test_mitigate_takes_a_run_on_an_affected_service(
    declare: Declare, make_run: Callable[..., Run], commander: User
) -> None:
    number = declare(commander).number
    make_run(commander, status="failed", finished_at=timezone.now())
    decide.set_affected(number, ("api",), "", by=commander)
    with pytest.raises(Refused, match="Mitigate"):
        checklist.complete(number, "mitigate", by=commander)
    ended = timezone.now()
    make_run(commander, status="succeeded", outcome="All tasks are new.", finished_at=ended)
    decide.set_affected(number, ("api",), "", by=commander)
    assert checklist.complete(number, "mitigate", by=commander).mitigated_at == ended


def test_mitigate_takes_a_note_why_nothing_was_done(declare: Declare, responder: User) -> None:
    number = declare(responder).number
    with pytest.raises(Refused, match="at least 10 characters"):
        checklist.no_action(number, "no", by=responder)
    checklist.no_action(number, "It went away by itself", by=responder)
    assert checklist.complete(number, "mitigate", by=responder).mitigated_at is not None


def test_it_resolves_a_worked_incident(worked: Incident, commander: User) -> None:
    incident = checklist.complete(worked.number, "resolve", by=commander)
    assert (incident.state, incident.resolved_at is not None) == ("resolved", True)
    assert incident.steps.get(key="resolve").evidence[0]["text"].startswith("API server is Healthy")


def test_it_refuses_to_resolve_while_a_service_is_not_healthy(
    worked: Incident, make_alert: Callable[..., Alert], commander: User
) -> None:
    make_alert(sentence="CPU is 97 %, above 80 % for 5 min")
    with pytest.raises(Refused) as refusal:
        checklist.complete(worked.number, "resolve", by=commander)
    assert len(reasons(refusal)) == 1
    assert "API server is Critical" in reasons(refusal)[0]
    worked.refresh_from_db()
    assert worked.is_open


def test_it_refuses_to_resolve_before_the_services_were_healthy_long_enough(
    worked: Incident, make_alert: Callable[..., Alert], clear: Callable[..., None], commander: User
) -> None:
    clear(make_alert())
    with pytest.raises(Refused) as refusal:
        checklist.complete(worked.number, "resolve", by=commander)
    assert "only, 10 s are asked for" in reasons(refusal)[0]


def test_it_refuses_to_resolve_while_earlier_steps_are_open(
    declare: Declare, clear: Callable[..., None], commander: User
) -> None:
    number = declare(commander).number
    clear(Alert.objects.get(), at=timezone.now() - timedelta(minutes=2))
    with pytest.raises(Refused) as refusal:
        checklist.complete(number, "resolve", by=commander)
    assert reasons(refusal) == ["Assess is still open.", "Communicate is still open.", "Mitigate is still open."]


def test_only_a_commander_resolves(worked: Incident, responder: User) -> None:
    with pytest.raises(PermissionDenied, match="may not command"):
        checklist.complete(worked.number, "resolve", by=responder)


def test_an_override_needs_a_commander_and_a_reason(declare: Declare, responder: User, commander: User) -> None:
    number = declare(commander).number
    with pytest.raises(PermissionDenied):
        checklist.override(number, "communicate", "Slack is down too", by=responder)
    with pytest.raises(Refused, match="at least 10 characters"):
        checklist.override(number, "communicate", "too short", by=commander)


def test_an_override_is_named_and_says_what_was_missing(declare: Declare, commander: User) -> None:
    incident = declare(commander)
    checklist.override(incident.number, "communicate", "Slack is down as well", by=commander)
    step = incident.steps.get(key="communicate")
    assert (step.state, step.override_reason, step.done_by) == ("overridden", "Slack is down as well", commander)
    entry = Entry.objects.order_by("-seq")[0]
    assert (entry.verb, entry.reason) == ("incident.override", "Slack is down as well")
    assert entry.detail["missing"] == UNTOLD


def test_overriding_resolve_resolves_a_sick_nova(declare: Declare, commander: User) -> None:
    incident = checklist.override(declare(commander).number, "resolve", "Nova is being switched off", by=commander)
    assert incident.state == "resolved"


def test_a_closed_step_is_not_closed_again(declare: Declare, commander: User) -> None:
    number = declare(commander).number
    with pytest.raises(Refused, match="closed already"):
        checklist.complete(number, "detect", by=commander)


def test_a_resolved_incident_is_reopened_with_a_reason(worked: Incident, commander: User) -> None:
    checklist.complete(worked.number, "resolve", by=commander)
    with pytest.raises(Refused, match="at least 10 characters"):
        checklist.reopen(worked.number, "again", by=commander)
    incident = checklist.reopen(worked.number, "The CPU is high again", by=commander)
    assert (incident.state, incident.resolved_at) == ("open", None)
    assert incident.steps.get(key="resolve").is_open
    assert Entry.objects.order_by("-seq")[0].verb == "incident.reopened"


def test_it_is_not_reopened_beside_another_one_of_the_same_cause(
    worked: Incident, declare: Declare, make_alert: Callable[..., Alert], commander: User
) -> None:
    checklist.complete(worked.number, "resolve", by=commander)
    second = declare(commander, alert=make_alert())
    with pytest.raises(Refused, match=f"{second.name} is open for the same cause"):
        checklist.reopen(worked.number, "The CPU is high again", by=commander)


def test_a_part_is_ticked_and_unticked(declare: Declare, responder: User) -> None:
    incident = declare(responder)
    item = incident.steps.get(key="assess").items.all()[0]
    for done in (True, False):
        checklist.tick(incident.number, item.pk, done, by=responder)
        item.refresh_from_db()
        assert (item.done_at is not None) is done


def test_a_part_of_another_incident_is_refused(
    declare: Declare, make_alert: Callable[..., Alert], responder: User
) -> None:
    first = declare(responder)
    second = declare(responder, alert=make_alert(service="cache", rule="evictions"), services=("cache",))
    foreign = second.steps.get(key="assess").items.all()[0]
    with pytest.raises(Refused, match="does not belong"):
        checklist.tick(first.number, foreign.pk, done=True, by=responder)
