"""Decisions about an incident: who may take them, what they change, and that each leaves its audit entry."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.utils import timezone

from dashboard.models import Alert
from incidents import declaring
from incidents import incident as decide
from incidents.guard import Refused, where
from incidents.models import FollowUp, Incident, TimelineEntry
from novaops.audit.models import Entry
from novaops.runbook.models import Run

Declare = Callable[..., Incident]
pytestmark = pytest.mark.django_db


def last_entry() -> Entry:
    return Entry.objects.order_by("-seq")[0]


def told(incident: Incident) -> list[str]:
    return list(incident.timeline.values_list("text", flat=True))


def test_it_declares_from_an_alert_and_fills_detect(
    declare: Declare, make_alert: Callable[..., Alert], commander: User
) -> None:
    alert = make_alert()
    incident = declare(commander, alert=alert)
    assert (incident.number, incident.started_at, incident.detected_at) == (1, alert.started_at, alert.fired_at)
    assert incident.commander == commander
    states = {step.key: step.state for step in incident.steps.all()}
    assert states == {"detect": "done"} | dict.fromkeys(
        ["assess", "communicate", "mitigate", "resolve", "postmortem"], "open"
    )
    assert incident.steps.get(key="detect").evidence[0]["text"] == f"{alert.title}: {alert.sentence}"
    assert f"High CPU fired: {alert.sentence}" in told(incident)
    entry = last_entry()
    assert (entry.verb, entry.actor, entry.incident) == ("incident.declared", "commander", 1)


def test_it_declares_from_what_a_person_saw(declare: Declare, responder: User) -> None:
    began = timezone.now() - timedelta(minutes=20)
    incident = declare(responder, alert=None, report="Login page shows 502", started_at=began)
    assert incident.started_at == began
    assert incident.commander is None
    assert incident.steps.get(key="detect").evidence[0]["text"] == "Login page shows 502"


def test_it_needs_an_alert_or_a_report(declare: Declare, responder: User) -> None:
    with pytest.raises(Refused, match="Say what was seen"):
        declare(responder, alert=None, report=" ")


def test_it_refuses_a_start_in_the_future(declare: Declare, responder: User) -> None:
    with pytest.raises(Refused, match="future"):
        declare(responder, started_at=timezone.now() + timedelta(hours=1))


def test_it_keeps_the_runbooks_words_with_the_environments_places(declare: Declare, responder: User) -> None:
    step = declare(responder).steps.get(key="communicate")
    assert step.words.startswith("Post in #nova-incidents, update status page at http")
    assert [item.text for item in step.items.all()][2] == "Assign incident commander"


def test_numbers_follow_each_other(declare: Declare, make_alert: Callable[..., Alert], commander: User) -> None:
    first = declare(commander)
    second = declare(commander, alert=make_alert(service="cache", rule="evictions"), services=("cache",))
    assert (first.number, second.number) == (1, 2)


def test_a_second_incident_for_the_same_alert_is_never_opened(declare: Declare, commander: User) -> None:
    first = declare(commander)
    alert = Alert.objects.get()
    with pytest.raises(declaring.Covered) as refusal:
        declaring.declare(
            declaring.Declaration(
                environment=where(first), title="Again", severity="SEV2", services=("cache",), alert=alert
            ),
            by=commander,
            anyway=True,
        )
    assert refusal.value.incident == first
    assert Incident.objects.count() == 1


def test_an_open_incident_of_the_same_service_is_offered_first(declare: Declare, commander: User) -> None:
    first = declare(commander)
    with pytest.raises(declaring.Covered) as refusal:
        declare(commander, alert=None)
    assert refusal.value.incident == first
    declaration = declaring.Declaration(
        environment=where(first), title="Other", severity="SEV3", services=("api",), report="Another thing"
    )
    assert declaring.declare(declaration, by=commander, anyway=True).number == 2


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_it_lets_nobody_declare_who_may_not_join(
    declare: Declare, user_with_role: Callable[[str, str], User], role: str
) -> None:
    with pytest.raises(PermissionDenied, match="may not write in incidents"):
        declare(user_with_role(role, "somebody"))
    assert not Incident.objects.exists()
    assert not Entry.objects.filter(verb="incident.declared").exists()


def test_a_responder_writes_notes_and_joins_but_does_not_command(
    declare: Declare, responder: User, commander: User
) -> None:
    number = declare(responder).number
    decide.note(number, "Looking at the logs", by=responder)
    decide.set_role(number, "responder", responder, by=responder)
    decisions = [
        lambda: decide.set_commander(number, responder, by=responder),
        lambda: decide.set_severity(number, "SEV1", by=responder),
        lambda: decide.set_role(number, "scribe", commander, by=responder),
    ]
    for decision in decisions:
        with pytest.raises(PermissionDenied, match="may not command incidents"):
            decision()


def test_command_is_taken_handed_over_and_told(
    declare: Declare, responder: User, commander: User, commander2: User
) -> None:
    number = declare(responder).number
    decide.set_commander(number, commander, by=commander)
    incident = decide.set_commander(number, commander2, by=commander)
    assert incident.commander == commander2
    assert "commander took command" in told(incident)
    assert "commander gave command to commander2, handed over by commander" in told(incident)
    assert last_entry().detail == {"from": "commander", "to": "commander2", "note": ""}


def test_command_goes_only_to_somebody_who_may_command(declare: Declare, responder: User, commander: User) -> None:
    number = declare(commander).number
    with pytest.raises(Refused, match="responder may not command"):
        decide.set_commander(number, responder, by=commander)


def test_a_severity_changes_with_its_reason(declare: Declare, commander: User) -> None:
    incident = decide.set_severity(declare(commander).number, "SEV1", by=commander, reason="payments are lost")
    assert incident.severity == "SEV1"
    assert "Severity SEV2 → SEV1: payments are lost" in told(incident)
    assert (last_entry().verb, last_entry().reason) == ("incident.severity", "payments are lost")


def test_a_note_sent_twice_is_written_once(declare: Declare, responder: User) -> None:
    number = declare(responder).number
    for _ in range(2):
        decide.note(number, "Only once", by=responder, key="form:1")
    assert TimelineEntry.objects.filter(text="Only once").count() == 1


def test_an_entry_written_down_later_is_marked(declare: Declare, responder: User) -> None:
    number = declare(responder).number
    decide.note(number, "Saw it", by=responder, at=timezone.now() - timedelta(minutes=10))
    decide.note(number, "Just now", by=responder)
    late = {entry.text: entry.late for entry in TimelineEntry.objects.filter(kind="note")}
    assert late == {"Saw it": True, "Just now": False}


def test_a_message_moves_the_next_update(declare: Declare, commander: User) -> None:
    incident = declare(commander)
    assert incident.next_update_due_at == incident.declared_at + timedelta(minutes=60)
    incident = decide.message(incident.number, "slack", "We are on it", by=commander, url="https://slack.example/p1")
    assert incident.told_at is not None
    assert incident.next_update_due_at == incident.told_at + timedelta(minutes=60)


def test_what_is_affected_is_set_with_the_verdict_of_that_moment(declare: Declare, responder: User) -> None:
    incident = declare(responder)
    before = incident.timeline.filter(data__snapshot=True).count()
    incident = decide.set_affected(incident.number, ("api", "database"), "Logins fail", by=responder)
    assert incident.services == ["api", "database"]
    assert incident.timeline.filter(data__snapshot=True).count() == before + 1


def test_a_run_that_was_already_on_the_service_joins(
    declare: Declare, make_run: Callable[..., Run], responder: User
) -> None:
    run = make_run(responder, status="running", started_at=timezone.now())
    incident = declare(responder)
    assert incident.links.filter(kind="run", ref=run.pk).exists()
    assert "Restart the API server on nova-api: running" in told(incident)


def test_a_star_comes_and_goes(declare: Declare, responder: User) -> None:
    number = declare(responder).number
    decide.note(number, "A key moment", by=responder)
    entry = TimelineEntry.objects.get(text="A key moment")
    for starred in (True, False):
        decide.mark(number, entry.pk, "starred", starred, by=responder)
        entry.refresh_from_db()
        assert entry.starred is starred


@pytest.mark.parametrize("change", [{"text": "Rewritten"}, {"at": timezone.now()}, {"kind": "state"}])
def test_postgresql_refuses_to_rewrite_the_timeline(
    declare: Declare, responder: User, change: dict[str, object]
) -> None:
    incident = declare(responder)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        incident.timeline.update(**change)


def test_postgresql_refuses_to_delete_from_the_timeline(declare: Declare, responder: User) -> None:
    incident = declare(responder)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        incident.timeline.all().delete()


def test_a_follow_up_is_written_down_and_finished(declare: Declare, responder: User) -> None:
    number = declare(responder).number
    decide.add_follow_up(number, FollowUp(title="Alert on the pool", kind="detect"), by=responder)
    follow_up = FollowUp.objects.get()
    decide.set_follow_up_state(number, follow_up.pk, "done", by=responder)
    follow_up.refresh_from_db()
    assert (follow_up.state, follow_up.created_by) == ("done", responder)


def test_nothing_changes_without_its_audit_entry(
    declare: Declare, commander: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = declare(commander)

    def refuse(*args: object, **kwargs: object) -> None:
        raise DatabaseError

    monkeypatch.setattr("novaops.audit.chain.record", refuse)
    with pytest.raises(DatabaseError), transaction.atomic():
        decide.set_severity(incident.number, "SEV1", by=commander)
    incident.refresh_from_db()
    assert incident.severity == "SEV2"
    assert not incident.timeline.filter(kind="severity").exists()
