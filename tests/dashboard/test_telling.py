"""People are told of alerts in Slack: once, with where to look and what may help, and not of what is muted."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from dashboard import quiet, telling, witnesses
from dashboard.models import Alert, AlertState, Witness
from dashboard.signals import alert_fired, alert_reopened
from novaops.outbox.models import Message
from tests.dashboard.test_quiet import fired, silenced, window

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def begin(**more: object) -> Alert:
    """An alert that fires now, as whoever makes one says so."""
    alert = fired(**more)
    with transaction.atomic():
        witnesses.witness(alert, Witness.Source.RULE, alert.rule, alert.sentence, alert.started_at)
        alert_fired.send(sender=Alert, alert=alert)
    return alert


def clear(alert: Alert) -> None:
    with transaction.atomic():
        witnesses.end(alert, Witness.Source.RULE, alert.rule, timezone.now())


def texts() -> list[str]:
    return [message.payload["text"] for message in Message.objects.order_by("pk")]


def test_a_message_says_what_where_to_look_and_what_may_help():
    alert = begin()
    message = Message.objects.get()
    assert (message.kind, message.address) == ("slack", "#nova-incidents")
    first, sentence, _, link, *helps = message.payload["text"].splitlines()
    assert first == "✖ Critical: High CPU · API server · Sandbox"
    assert sentence == "The API server's CPU is at 96 %"
    assert link == f"http://localhost/alerts/{alert.pk}/"
    assert helps[0] == "What may help:"
    assert "/actions/scale-api/new?environment=sandbox&target=nova-api" in helps[1]
    assert len(helps) <= 4


def test_what_is_over_or_fires_again_is_said_in_the_thread():
    alert = begin()
    clear(alert)
    alert.state, alert.cleared_at, alert.flaps = AlertState.FIRING, None, 1
    alert.save()
    with transaction.atomic():
        alert_reopened.send(sender=Alert, alert=alert)
    rest = list(Message.objects.order_by("pk"))[1:]
    assert [message.operation for message in rest] == ["reply", "reply"]
    assert {message.lane for message in rest} == {f"alert:{alert.pk}"}
    assert rest[0].payload["text"].startswith("✔ Over: High CPU, fired for")
    assert "again" in rest[1].payload["text"]


def test_an_alert_is_told_once_however_often_it_is_looked_at():
    begin()
    for _ in range(3):
        telling.catch_up()
    assert len(texts()) == 1


def test_a_silenced_alert_is_not_told_until_the_silence_ends(environment, responder):
    silence = silenced(fired(), environment, responder)
    Alert.objects.all().delete()
    alert = begin()
    telling.catch_up()
    assert texts() == []
    quiet.end(silence, environment, by=responder)
    telling.catch_up()
    assert len(texts()) == 1
    clear(alert)
    assert len(texts()) == 2


def test_what_began_and_ended_in_silence_is_never_told(environment, responder):
    silence = silenced(fired(), environment, responder)
    Alert.objects.all().delete()
    clear(begin())
    quiet.end(silence, environment, by=responder)
    telling.catch_up()
    assert texts() == []


def test_nobody_is_told_of_a_service_in_maintenance(environment, commander):
    window(environment, commander)
    begin()
    begin(service="database", rule="database-cpu", title="Busy database")
    assert [text.splitlines()[0] for text in texts()] == ["✖ Critical: Busy database · Database · Sandbox"]


def test_an_alert_that_only_others_tell_of_is_told_too():
    begin(rule="disk-queue", title="disk-queue", source="CloudWatch", severity="warn", value=None, threshold=None)
    assert texts()[0].startswith("▲ Degraded: disk-queue")
    assert "told by CloudWatch" in texts()[0]


def test_without_slack_nothing_is_queued(environment, monkeypatch):
    from dashboard.telling import declared

    bare = environment.model_copy(update={"slack": None})
    monkeypatch.setattr(declared, "get", lambda _: bare)
    begin()
    telling.catch_up()
    assert texts() == []
