"""Two incidents of one cause become one, and every old address leads there."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dashboard.models import Alert
from incidents import checklist, declaring, merging
from incidents import incident as decide
from incidents.guard import Refused
from incidents.models import FollowUp, Incident, TimelineEntry
from novaops.audit.models import Entry
from novaops.environment import Environment
from novaops.runbook.models import Run
from novaops.runbook.signals import run_finished

Declare = Callable[..., Incident]
SignIn = Callable[[User], Client]
WHY = "Redis is full, so the API is slow"
pytestmark = pytest.mark.django_db


def url(name: str, *args: object) -> str:
    return reverse(f"incidents:{name}", args=args)


@pytest.fixture
def two(declare: Declare, make_alert: Callable[..., Alert], commander: User, responder: User) -> list[Incident]:
    first = declare(commander)
    second = declare(
        responder, alert=make_alert(service="cache", rule="evictions"), services=("cache",), severity="SEV1"
    )
    decide.note(second.number, "Memory is full", by=responder)
    decide.add_follow_up(second.number, FollowUp(title="A larger node", kind="prevent"), by=responder)
    decide.set_role(second.number, "responder", responder, by=responder)
    return [first, second]


def test_everything_of_the_one_joins_the_other(two: list[Incident], commander: User) -> None:
    first, second = two
    merged = merging.merge(second.number, first.number, WHY, by=commander)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (merged, second.state, second.merged_into) == (first, "merged", first)
    assert (first.severity, sorted(first.services)) == ("SEV1", ["api", "cache"])
    assert first.started_at == min(first.started_at, second.started_at)
    assert first.timeline.filter(text="Memory is full", author__username="responder").count() == 1
    assert first.links.filter(kind="alert").count() == 2
    assert first.follow_ups.get().title == "A larger node"
    assert first.roles.get(until=None).user.username == "responder"
    assert Entry.objects.filter(verb="incident.merged").count() == 2


def test_every_old_address_leads_to_the_same_page_of_the_other(
    two: list[Incident], client_of: SignIn, commander: User
) -> None:
    first, second = two
    merging.merge(second.number, first.number, WHY, by=commander)
    client = client_of(commander)
    for name, *more in (("room",), ("step", "assess"), ("follow_ups",), ("moments",), ("postmortem",)):
        answer = client.get(url(name, second.number, *more))
        assert (answer.status_code, answer["Location"]) == (302, url(name, first.number, *more))
    answer = client.post(url("compose", second.number), {"text": "Still typing"}, follow=True)
    assert "Nothing was written" in answer.content.decode()
    with pytest.raises(Refused, match="was merged"):
        decide.note(second.number, "Still typing", by=commander)


def test_what_comes_later_goes_to_the_other(
    two: list[Incident], make_run: Callable[..., Run], place: Environment, commander: User
) -> None:
    first, second = two
    alert = Alert.objects.get(service="cache")
    merging.merge(second.number, first.number, WHY, by=commander)
    before = second.timeline.count()
    run = make_run(commander, status="running", incident=second.number)
    run_finished.send(Run, run=run)
    assert first.links.filter(kind="run", ref=run.pk).exists()
    assert second.timeline.count() == before
    with pytest.raises(declaring.Covered) as covered:
        declaring.declare(declaring.of_alert(alert, place), by=commander, anyway=True)
    assert covered.value.incident == first


def test_what_was_told_in_both_is_told_once(declare: Declare, place: Environment, commander: User) -> None:
    first = declare(commander)
    other = declaring.Declaration(environment=place, title="Slow", severity="SEV3", services=("api",), report="Slow")
    second = declaring.declare(other, by=commander, anyway=True)
    assert second.timeline.filter(kind="alert").count() == 1
    merging.merge(second.number, first.number, WHY, by=commander)
    assert first.timeline.filter(kind="alert").count() == 1


@pytest.mark.parametrize(
    ("into", "reason", "sentence"),
    [(0, WHY, ""), (1, WHY, "itself"), (2, "same", "why they are the same")],
    ids=["nowhere", "itself", "without a reason"],
)
def test_a_merge_that_makes_no_sense_is_refused(
    two: list[Incident], client_of: SignIn, commander: User, into: int, reason: str, sentence: str
) -> None:
    answer = client_of(commander).post(url("merge", 1), {"into": into, "reason": reason})
    assert answer.status_code in (404, 409)
    assert sentence in answer.content.decode()
    assert not Incident.objects.filter(state="merged").exists()


def test_a_resolved_incident_is_not_merged(worked: Incident, declare: Declare, commander: User) -> None:
    checklist.complete(worked.number, "resolve", by=commander)
    other = declare(commander, alert=None, services=("cache",))
    with pytest.raises(Refused, match="Only open incidents"):
        merging.merge(worked.number, other.number, WHY, by=commander)


def test_a_duplicate_is_added_to_the_open_one_instead(declare: Declare, client_of: SignIn, commander: User) -> None:
    first = declare(commander)
    said = {"environment": first.environment, "title": "Login is slow", "reach": "some", "report": "A call from Lagos"}
    client = client_of(commander)
    answer = client.post(url("new"), {**said, "services": ["api", "cache"]})
    assert "Add this to INC-1" in answer.content.decode()
    answer = client.post(url("new"), {**said, "services": ["api", "cache"], "add_to": first.number})
    assert answer["Location"] == first.get_absolute_url()
    assert Incident.objects.get().services == ["api", "cache"]
    assert TimelineEntry.objects.filter(text="A call from Lagos", data__report=True).exists()
    assert "INC-1" not in client.get(url("merge", 1)).context["candidates"]
