"""Two incidents of one cause become one, and every old address leads there."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.models import Alert
from incidents import checklist, declaring, documents, drafts, merging, telling
from incidents import incident as decide
from incidents.guard import Refused
from incidents.models import FollowUp, Incident, Postmortem, TimelineEntry
from incidents.telling import Said
from novaops.audit.models import Entry
from novaops.environment import Environment
from novaops.runbook import undo
from novaops.runbook.models import Run, Undo
from novaops.runbook.signals import run_finished
from tests.incidents.test_telling import deliver_all
from tests.servers import Nova

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


@pytest.fixture
def both_told(aws: Nova, two: list[Incident], commander: User) -> list[Incident]:
    """Two open incidents, the second of which has a thread, an entry on the page and an incident at PagerDuty."""
    telling.name_at_pagerduty(two[1].number, "Q2PD", by=commander)
    telling.tell(
        two[1].number, Said(slack="We look", page="We look.", page_name="Cache is full"), by=commander, key="1"
    )
    deliver_all()
    return two


def test_merging_closes_the_merged_one_outside_once_and_leads_to_the_other(
    both_told: list[Incident], aws: Nova, client_of: SignIn, commander: User
) -> None:
    first, second = both_told
    asked = client_of(commander).get(url("merge", second.number)).content.decode()
    for words in ("its thread says where", "“Cache is full” is resolved", "Q2PD gets a note and is resolved"):
        assert words in asked.replace("&#x27;", "'")
    merging.merge(second.number, first.number, WHY, by=commander)
    deliver_all()
    thread = aws.told("slack")[-1]["body"]
    assert thread["thread_ts"]
    assert f"was merged into {first.name}" in thread["text"]
    pages = [each["body"]["incident"] for each in aws.told("statuspage")]
    assert [(page["status"], page["name"]) for page in pages] == [
        ("investigating", "Cache is full"),
        ("investigating", "Problem with API server and Redis"),
        ("resolved", "Cache is full"),
    ]
    assert not pages[2].get("components")
    assert "“Problem with API server and Redis”" in pages[2]["body"]
    assert [each["path"].partition("Q2PD")[2] for each in aws.told("pagerduty")] == ["/notes", ""]
    assert telling.at_pagerduty(first) == []
    assert {message.state for message in telling.told(first)} == {"sent"}
    assert first.timeline.filter(kind="message", text__startswith="PagerDuty: resolve").count() == 1
    checklist.override(first.number, "resolve", "a rehearsal of the end", by=commander)
    deliver_all()
    assert aws.told("statuspage")[-1]["body"]["incident"]["name"] == "Problem with API server and Redis"
    assert len(aws.told("pagerduty")) == 2


def test_what_was_under_way_when_it_was_merged_is_told_of_in_the_other(
    aws: Nova, two: list[Incident], commander: User
) -> None:
    first, second = two
    telling.tell(second.number, Said(slack="We look"), by=commander, key="1")
    merging.merge(second.number, first.number, WHY, by=commander)
    deliver_all()
    said = first.timeline.filter(kind="message").order_by("pk").values_list("text", flat=True)
    assert said[0] == "Slack: We look"
    assert "Follow it there" in said[1]
    assert len(aws.told("slack")) == 2


def test_the_document_tells_of_what_was_merged_into_it(two: list[Incident], commander: User) -> None:
    first, second = two
    merging.merge(second.number, first.number, WHY, by=commander)
    first.refresh_from_db()
    text = documents.ensure(first.number, by=commander, base_url="https://ops.example").text
    assert f"| [INC-2](https://ops.example/incidents/2/) | SEV1 | {second.title} |" in text
    assert WHY in text
    assert "| A larger node | prevent |" in text
    assert "Memory is full" in text
    assert text.count("Alert as it was recorded") == 2
    entries = Entry.objects.filter(incident__in=[1, 2], seq__lte=Entry.objects.get(verb="postmortem.generated").seq)
    assert f"{entries.count() - 1} audit entries" in text


def test_words_in_the_document_of_the_merged_one_come_along(
    two: list[Incident], commander: User, responder: User
) -> None:
    first, second = two
    theirs = documents.ensure(second.number, by=commander, base_url="")
    story = "> Two more sentences: what customers noticed, and what the incident was really about."
    assert story in theirs.text
    documents.save(second.number, theirs.text.replace(story, "Nobody could pay."), 1, by=commander)
    drafts.keep(second.number, theirs.text.replace(story, "A half-finished thought"), 2, by=responder)
    merging.merge(second.number, first.number, WHY, by=commander)
    joined = Postmortem.objects.get(incident=first)
    assert "## What people wrote in the post-mortem of INC-2: High CPU on the API\n\nNobody could pay.\n" in joined.text
    assert "half-finished" not in joined.text
    draft = drafts.of(joined, responder)
    assert draft
    assert draft.text.endswith("A half-finished thought\n")


def test_what_is_left_changed_by_a_merged_incidents_run_is_asked_for_at_resolve(
    two: list[Incident], make_run: Callable[..., Run], commander: User
) -> None:
    first, second = two
    run = make_run(commander, status="succeeded", incident=second.number)
    later = timezone.now() + timedelta(days=1)
    Undo.objects.create(
        run=run,
        environment=run.environment,
        action="scale-api",
        target="nova-api",
        sentence="Back to 2",
        expires_at=later,
    )
    merging.merge(second.number, first.number, WHY, by=commander)
    assert [one.run for one in undo.of_incident(*first.numbers)] == [run]
