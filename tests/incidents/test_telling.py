"""People outside the room are told from it: drafted, sent once, and with what came of it on the timeline."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dashboard.models import Alert, Witness
from incidents import checklist, telling
from incidents import facts as loader
from incidents.evidence import missing
from incidents.guard import Refused
from incidents.models import Incident
from incidents.steps import StepKey
from incidents.telling import Said
from novaops import environment as environments
from novaops.audit.models import Entry
from novaops.environment import Environment
from novaops.outbox import decisions
from novaops.outbox.models import Message
from tests.outbox.conftest import carry_on
from tests.servers import Nova

State = Message.State
BOTH = Said(slack="We are on it", page="We are investigating.", page_name="API is slow")


def deliver_all() -> None:
    for message in Message.objects.filter(state__in=["queued", "sending"]).order_by("pk"):
        carry_on(message)


def told(incident: Incident, kind: str) -> list[str]:
    return list(incident.timeline.filter(kind=kind, data__has_key="message").values_list("text", flat=True))


@pytest.fixture
def declared(aws: Nova, declare: Callable[..., Incident], commander: User) -> Incident:
    """An open incident, with the outside answering."""
    return declare(commander)


def test_two_clicks_tell_slack_and_the_status_page(
    declared: Incident, aws: Nova, responder: User, client_of: Callable[[User], Client]
) -> None:
    client = client_of(responder)
    page = client.get(reverse("incidents:step", args=[declared.number, "communicate"]))
    drafts = {name: page.context["tell_form"][name].value() for name in ("slack", "page", "page_name", "page_status")}
    assert declared.title in drafts["slack"]
    assert page.content.decode().count("Post and update") == 1
    answer = client.post(reverse("incidents:tell", args=[declared.number]), {**drafts, "key": "k"})
    assert answer.status_code == 302
    deliver_all()
    assert (len(aws.told("slack")), len(aws.told("statuspage"))) == (1, 1)
    assert "Sent" in client.get(answer["Location"]).content.decode()


def test_sent_twice_by_the_browser_it_is_told_once(declared: Incident, aws: Nova, responder: User) -> None:
    for _ in range(2):
        telling.tell(declared.number, BOTH, by=responder, key="form:1")
    deliver_all()
    assert (len(aws.told("slack")), len(aws.told("statuspage"))) == (1, 1)


def test_what_was_sent_proves_communicate_and_starts_the_clock_of_the_next_update(
    declared: Incident, aws: Nova, commander: User, place: Environment
) -> None:
    before = missing(StepKey.COMMUNICATE, loader.load(declared, place))
    assert [reason.sentence for reason in before] == [
        "Nothing is told on Slack yet.",
        "Nothing is told on the status page yet.",
    ]
    telling.tell(declared.number, BOTH, by=commander, key="1")
    assert len(missing(StepKey.COMMUNICATE, loader.load(declared, place))) == 2
    deliver_all()
    declared.refresh_from_db()
    assert missing(StepKey.COMMUNICATE, loader.load(declared, place)) == []
    assert declared.told_at == Message.objects.latest("outcome_at").outcome_at
    assert told(declared, "message") == ["Slack: We are on it", "Status page: investigating. We are investigating."]


def test_an_outage_shows_and_blocks_nothing(declared: Incident, aws: Nova, commander: User) -> None:
    aws.broken_sinks(slack=429)
    telling.tell(declared.number, BOTH, by=commander, key="1")
    for message in Message.objects.order_by("pk"):
        carry_on(message, most=1)
    assert told(declared, "message") == ["Status page: investigating. We are investigating."]
    assert told(declared, "state") == ["Slack message is waiting: Slack is throttling"]
    aws.broken_sinks()
    deliver_all()
    assert len(aws.told("slack")) == 1


def test_later_messages_answer_in_the_thread_and_update_the_page(
    declared: Incident, aws: Nova, commander: User
) -> None:
    for key in ("1", "2"):
        telling.tell(declared.number, BOTH, by=commander, key=key)
    deliver_all()
    first, second = (message["body"] for message in aws.told("slack"))
    assert ("thread_ts" in first, "thread_ts" in second) == (False, True)
    assert [message["method"] for message in aws.told("statuspage")] == ["POST", "PATCH"]


def test_resolving_closes_it_everywhere(declared: Incident, aws: Nova, commander: User, place: Environment) -> None:
    telling.name_at_pagerduty(declared.number, "Q1PD", by=commander)
    telling.tell(declared.number, BOTH, by=commander, key="1")
    deliver_all()
    checklist.override(declared.number, "resolve", "a rehearsal of the end", by=commander)
    deliver_all()
    page = aws.told("statuspage")[-1]["body"]["incident"]
    assert (page["status"], set(page["components"].values())) == ("resolved", {"operational"})
    assert aws.told("slack")[-1]["body"]["text"].endswith("resolved.")
    assert [(each["path"], each["body"]["incident"]["status"]) for each in aws.told("pagerduty")] == [
        ("/pagerduty/incidents/Q1PD", "resolved")
    ]


def test_what_nobody_was_told_is_not_called_over(declared: Incident, aws: Nova, commander: User) -> None:
    checklist.override(declared.number, "resolve", "a rehearsal of the end", by=commander)
    assert not Message.objects.exists()


def test_an_alert_from_pagerduty_brings_its_incident_there(declared: Incident, aws: Nova, commander: User) -> None:
    alert = Alert.objects.get()
    Witness.objects.create(alert=alert, source="pagerduty", name="Q2PD", sentence="paged", since=alert.fired_at)
    telling.tell(declared.number, Said(slack="We are on it", pagerduty=True), by=commander, key="1")
    deliver_all()
    assert [each["path"].rpartition("/")[2] for each in aws.told("pagerduty")] == ["Q2PD", "notes"]


def test_what_is_not_configured_is_said(declared: Incident, commander: User, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = environments.default().model_copy(update={"slack": None})
    monkeypatch.setattr(environments, "environments", lambda: {plain.name: plain})
    with pytest.raises(Refused, match="Slack is not configured"):
        telling.tell(declared.number, BOTH, by=commander, key="1")
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("decide", "ends"), [("check", State.UNKNOWN), ("mark_sent", State.SENT), ("send_again", State.SENT)]
)
def test_a_person_decides_what_nobody_can_know(
    declared: Incident, aws: Nova, commander: User, decide: str, ends: str
) -> None:
    aws.troubles({"kind": "drop-before"})
    telling.tell(declared.number, Said(slack="We are on it"), by=commander, key="1")
    deliver_all()
    message = Message.objects.get()
    assert message.state == State.UNKNOWN
    getattr(decisions, decide)(message.pk, by=commander)
    deliver_all()
    message.refresh_from_db()
    assert (message.state, len(aws.told("slack"))) == (ends, 1 if decide == "send_again" else 0)
    assert Entry.objects.filter(actor=commander.username, verb__startswith="message.").count() == 1
    assert declared.timeline.filter(kind="message").exists() == (ends == State.SENT)


def test_a_decision_comes_too_late_for_what_was_sent(declared: Incident, aws: Nova, commander: User) -> None:
    telling.tell(declared.number, Said(slack="We are on it"), by=commander, key="1")
    deliver_all()
    with pytest.raises(decisions.Refused, match="sent by now"):
        decisions.send_again(Message.objects.get().pk, by=commander)


def test_the_page_of_messages_lets_people_decide(
    declared: Incident, aws: Nova, commander: User, viewer: User, client_of: Callable[[User], Client]
) -> None:
    aws.broken_sinks(slack="channel_not_found")
    telling.tell(declared.number, Said(slack="We are on it"), by=commander, key="1")
    deliver_all()
    message, url = Message.objects.get(), reverse("outbox:messages")
    assert "Send again" not in client_of(viewer).get(url).content.decode()
    client = client_of(commander)
    assert "channel_not_found" in client.get(url).content.decode()
    aws.broken_sinks()
    answer: Any = client.post(reverse("outbox:again", args=[message.pk]), {"next": "//elsewhere.example/"})
    assert answer["Location"] == message.get_absolute_url()
    deliver_all()
    assert len(aws.told("slack")) == 1


def test_the_summary_says_where_it_stands(
    declared: Incident, viewer: User, client_of: Callable[[User], Client]
) -> None:
    text = client_of(viewer).get(reverse("incidents:summary", args=[declared.number])).context["text"]
    assert text.startswith(f"{declared.severity} {declared.name} {declared.title} (")
    assert "Commander:" in text
    assert "Key moments (UTC):" in text
