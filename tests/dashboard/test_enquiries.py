"""What pages ask of the outside: asked once, answered by a worker, shown with its age, forgotten after an hour."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from django.utils import timezone

from dashboard import enquiries, tasks
from dashboard.models import Enquiry
from novaops import retention
from novaops.audit.models import Entry
from novaops.cloud import logs
from novaops.environment import Environment

pytestmark = pytest.mark.django_db
LOOK = {"text": "", "minutes": 15, "only_errors": False}


def say(group: str, *messages: str, ago: timedelta = timedelta(seconds=20)) -> None:
    """Write lines as a container would."""
    client = boto3.client("logs", region_name="eu-west-1")
    client.create_log_stream(logGroupName=group, logStreamName="tests")
    at = int((datetime.now(UTC) - ago).timestamp() * 1000)
    events = [{"timestamp": at + number, "message": message} for number, message in enumerate(messages)]
    client.put_log_events(logGroupName=group, logStreamName="tests", logEvents=events)


def asked(environment: Environment, user, subject: str = enquiries.LOGS, kind: str = "events", **changes) -> Enquiry:
    return enquiries.ask(environment, kind, subject, {**LOOK, **changes} if subject == enquiries.LOGS else {}, user)


def answered(row: Enquiry) -> Enquiry:
    for _ in range(3):
        if enquiries.carry_on(str(row.pk)) is None:
            break
    row.refresh_from_db()
    return row


def test_a_question_is_asked_once_and_recorded(environment, responder):
    first, second = asked(environment, responder), asked(environment, responder)
    assert first == second
    assert asked(environment, responder, text="other") != first
    entry = Entry.objects.filter(verb="logs.asked").first()
    assert entry is not None
    assert (entry.actor, entry.subject) == ("responder", "nova-event-processor")


def test_the_newest_lines_are_told_with_errors_in_groups(aws, environment, responder):
    say("/nova/event-processor", *(f"ERROR ledger {number} is missing" for number in range(250)), "INFO going on")
    row = answered(asked(environment, responder))
    assert row.state == "told", row.sentence
    assert row.answer["full"]
    assert len(row.answer["lines"]) == enquiries.MOST_LINES
    messages = [line["message"] for line in row.answer["lines"]]
    assert "INFO going on" in messages
    assert "ERROR ledger 1 is missing" not in messages
    assert row.answer["groups"][0]["pattern"] == "ERROR ledger # is missing"
    assert row.answer["source"] == "FilterLogEvents of /nova/event-processor"


def test_only_lines_with_the_text_are_told(aws, environment, responder):
    say("/nova/event-processor", 'WARNING "quoted"', "WARNING plain", "ERROR plain")
    found = answered(asked(environment, responder, text='"quoted"'))
    assert [line["message"] for line in found.answer["lines"]] == ['WARNING "quoted"']
    found = answered(asked(environment, responder, text="plain", only_errors=True))
    assert [line["message"] for line in found.answer["lines"]] == ["ERROR plain"]


def test_long_stretches_are_left_to_logs_insights(aws, environment, responder):
    say("/nova/event-processor", "ERROR long ago", "INFO long ago", ago=timedelta(hours=5))
    row = asked(environment, responder, minutes=1440, text="long ago", only_errors=True)
    assert enquiries.carry_on(str(row.pk)) == enquiries.AGAIN_S
    row.refresh_from_db()
    assert (row.state, bool(row.query_id)) == ("looking", True)
    row = answered(row)
    assert [line["message"] for line in row.answer["lines"]] == ["ERROR long ago"]
    assert row.answer["source"].startswith("Logs Insights")


def test_a_query_that_never_ends_is_given_up(aws, environment, responder):
    row = asked(environment, responder, minutes=1440)
    Enquiry.objects.filter(pk=row.pk).update(asked_at=timezone.now() - timedelta(minutes=2))
    row.refresh_from_db()
    enquiries.carry_on(str(row.pk))
    assert enquiries.carry_on(str(row.pk)) is None
    row.refresh_from_db()
    assert (row.state, row.sentence) == ("failed", "Logs Insights has not answered within 60 s: ask for less")


def test_a_refusal_is_told_in_words(aws, environment, responder):
    row = asked(environment, responder)
    aws.faults([{"service": "logs", "operation": "FilterLogEvents", "kind": "throttle", "times": 9}])
    assert "throttling" in answered(row).sentence
    aws.faults([])


def test_connections_are_told_without_what_people_wrote(environment, responder, nova_database):
    nova_database.execute("SELECT 'hunter2'")
    row = answered(asked(environment, responder, enquiries.CONNECTIONS, "database"))
    assert row.state == "told", row.sentence
    assert row.answer["number"] >= 1
    assert "hunter2" not in str(row.answer)


def test_an_answer_is_given_once(environment, responder):
    row = asked(environment, responder)
    Enquiry.objects.filter(pk=row.pk).update(state="told", answer={"lines": [1]})
    tasks.answer(str(row.pk))
    row.refresh_from_db()
    assert row.answer == {"lines": [1]}
    tasks.answer("4f0c1c5e-6d3a-4b7e-9a52-0d6f1b2c3d4e")


def test_answers_are_forgotten_after_an_hour(environment, responder):
    row = asked(environment, responder)
    retention.forget(Enquiry, timezone.now() + timedelta(minutes=59))
    assert Enquiry.objects.count() == 1
    retention.forget(Enquiry, row.asked_at + timedelta(minutes=61))
    assert Enquiry.objects.count() == 0


def test_busy_logs_are_read_from_their_end(aws, environment):
    say("/nova/event-processor", *(f"line {number}" for number in range(3000)), ago=timedelta(minutes=3))
    now = datetime.now(UTC)
    lines = logs.newest(environment, "/nova/event-processor", start=now - timedelta(minutes=15), end=now, limit=50)
    assert [line.message for line in lines if line.message.startswith("line")][-1] == "line 2999"
    assert [line.at for line in lines] == sorted(line.at for line in lines)
