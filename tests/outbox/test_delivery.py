"""A message reaches the other side at most once, and never gets lost without a word."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novaops import environment as environments
from novaops.audit.models import Entry
from novaops.outbox import delivery, leases
from novaops.outbox.models import Message
from novaops.outbox.posting import PagerDutyChange, PageUpdate, SlackText, post
from tests.outbox.conftest import CONTENTS, NOTE, PAGE, SLACK, carry_on, later
from tests.servers import Nova

State = Message.State
Queue = Callable[..., Message]
KINDS = ("throttle", "error-before", "error-after", "drop-before", "drop-after")


@pytest.mark.parametrize("sink", CONTENTS)
def test_it_is_sent_and_remembers_what_the_other_side_calls_it(aws: Nova, queued: Queue, sink: str) -> None:
    message = carry_on(queued(CONTENTS[sink]))
    assert (message.state, message.attempts, len(aws.told(sink))) == (State.SENT, 1, 1), message.sentence
    assert all(message.response.values())
    assert Entry.objects.filter(verb="message.sent").count() == 1


def test_delivered_again_it_is_not_sent_again(aws: Nova, queued: Queue) -> None:
    message = carry_on(queued())
    delivery.deliver(message.pk)
    assert len(aws.told("slack")) == 1


def test_a_key_posts_once_whatever_is_said_the_second_time(queued: Queue) -> None:
    assert queued(SLACK).pk == queued(PAGE).pk


def test_a_second_message_answers_in_the_thread_of_the_first(aws: Nova, queued: Queue) -> None:
    first = carry_on(queued())
    carry_on(queued(SlackText(text="More is known", reply=True), "two"))
    carry_on(queued(SlackText(text="It is over", edit=True), "three"))
    bodies = [message["body"] for message in aws.told("slack")]
    assert [body.get("thread_ts") for body in bodies] == [None, first.response["ts"], None]
    assert (bodies[2]["ts"], bodies[2]["text"]) == (first.response["ts"], "It is over")


def test_a_reply_waits_for_the_message_before_it(aws: Nova, queued: Queue) -> None:
    first, second = queued(), queued(SlackText(text="More is known", reply=True), "two")
    assert delivery.deliver(second.pk) is delivery.OVER
    carry_on(first)
    assert carry_on(second).state == State.SENT


def test_the_page_gets_one_incident_that_later_messages_update(aws: Nova, queued: Queue) -> None:
    messages = [
        queued(PAGE),
        queued(PageUpdate(name="API is slow", status="resolved", text="Over.", services={"api": "operational"}), "two"),
    ]
    for message in messages:
        carry_on(message)
    told = aws.told("statuspage")
    assert [each["method"] for each in told] == ["POST", "PATCH"]
    assert told[1]["body"]["incident"]["components"] == {"cmpapi": "operational"}
    assert messages[0].response == messages[1].response


def test_what_people_typed_is_shown_literally_in_slack(aws: Nova, queued: Queue) -> None:
    carry_on(queued(SlackText(text="<!channel> a & b <http://x|y>")))
    assert aws.told("slack")[0]["body"]["text"] == "&lt;!channel&gt; a &amp; b &lt;http://x|y&gt;"


def test_throttled_it_waits_as_long_as_it_is_told(aws: Nova, queued: Queue) -> None:
    aws.troubles({"kind": "throttle", "seconds": 17})
    message = queued()
    assert delivery.deliver(message.pk) == 17
    message.refresh_from_db()
    assert (message.state, message.signed_at, message.sentence) == (State.QUEUED, None, "Slack is throttling")
    later(message, 0)
    assert (carry_on(message).state, len(aws.told("slack"))) == (State.SENT, 1)


@pytest.mark.parametrize(("sink", "error"), [("slack", "channel_not_found"), ("statuspage", 401), ("pagerduty", 400)])
def test_refused_it_says_why_and_is_not_tried_again(aws: Nova, queued: Queue, sink: str, error: str | int) -> None:
    aws.broken_sinks(**{sink: error})
    message = carry_on(queued(CONTENTS[sink]))
    assert (message.state, message.attempts) == (State.FAILED, 1)
    assert str(error) in message.sentence
    assert "sandbox" not in message.sentence


@pytest.mark.parametrize("sink", CONTENTS)
@pytest.mark.parametrize("kind", ["error-after", "drop-after"])
def test_what_arrived_though_no_good_answer_came_is_found(aws: Nova, queued: Queue, sink: str, kind: str) -> None:
    aws.troubles({"kind": kind})
    message = carry_on(queued(CONTENTS[sink]))
    assert (message.state, message.sentence) == (State.SENT, "Found to have arrived.")
    assert len(aws.told(sink)) == 1


@pytest.mark.parametrize("sink", CONTENTS)
def test_an_outage_that_answered_with_an_error_is_retried_when_it_is_over(aws: Nova, queued: Queue, sink: str) -> None:
    aws.broken_sinks(**{sink: 503})
    message = carry_on(queued(CONTENTS[sink]), most=4)
    assert message.state == State.SENDING
    assert "answered 503" in message.sentence
    aws.broken_sinks()
    assert (carry_on(message).state, len(aws.told(sink))) == (State.SENT, 1)


@pytest.mark.parametrize("sink", CONTENTS)
def test_what_left_without_a_trace_is_never_sent_again_by_itself(aws: Nova, queued: Queue, sink: str) -> None:
    aws.troubles({"kind": "drop-before"})
    message = carry_on(queued(CONTENTS[sink]))
    assert (message.state, len(aws.told(sink))) == (State.UNKNOWN, 0)
    assert "may or may not have arrived" in message.sentence


def test_a_state_of_pagerduty_is_set_again(aws: Nova, queued: Queue) -> None:
    aws.troubles({"kind": "drop-before"})
    message = carry_on(queued(PagerDutyChange(incident="PD1", what="resolve")))
    assert (message.state, message.attempts, len(aws.told("pagerduty"))) == (State.SENT, 2, 1)


def test_nothing_leaves_without_the_lease(aws: Nova, queued: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    message = queued()
    stale = leases.claim(message.pk)
    assert stale
    Message.objects.filter(pk=message.pk).update(lease_until=None)
    assert leases.claim(message.pk)
    monkeypatch.setattr(leases, "claim", lambda _: stale)
    assert delivery.deliver(message.pk) is delivery.OVER
    message.refresh_from_db()
    assert (message.state, message.signed_at, aws.told("slack")) == (State.QUEUED, None, [])


def test_a_token_that_is_not_set_is_named(aws: Nova, queued: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOVA_SLACK_TOKEN")
    message = carry_on(queued())
    assert (message.state, message.sentence) == (State.FAILED, "Slack: NOVA_SLACK_TOKEN is not set")


def test_what_nobody_could_be_told_in_time_is_given_up(aws: Nova, queued: Queue) -> None:
    aws.broken_sinks(slack=429)
    message = carry_on(queued(), step_s=3 * 3600)
    assert (message.state, aws.told("slack")) == (State.FAILED, [])
    assert message.sentence.endswith("The last attempt: Slack is throttling.")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(troubles=st.lists(st.sampled_from(KINDS), max_size=5), sink=st.sampled_from(sorted(CONTENTS)))
def test_whatever_befalls_it_the_other_side_has_it_at_most_once(
    aws: Nova, db: None, troubles: list[str], sink: str
) -> None:
    before = len(aws.told(sink))
    aws.troubles(*({"kind": kind} for kind in troubles))
    key = str(Message.objects.count())
    message = carry_on(post(CONTENTS[sink], environment=environments.default(), key=key, subject="INC-1", lane=key))
    arrived = len(aws.told(sink)) - before
    assert arrived <= 1
    assert (message.state == State.SENT) == (arrived == 1), (message.state, message.sentence)
    aws.troubles()


def test_pagerduty_is_asked_with_its_own_words(aws: Nova, queued: Queue) -> None:
    carry_on(queued(NOTE))
    assert aws.told("pagerduty")[0]["body"]["note"]["content"].startswith("INC-1 was declared (NovaOps message ")
