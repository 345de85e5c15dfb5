"""What messages from outside become: alerts with witnesses, one for each trouble, ended as they were told."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from dashboard import alerts
from dashboard.hooks import inbox
from dashboard.hooks.models import Delivery, Subscription
from dashboard.models import Alert, AlertState, Witness
from dashboard.signals import alert_cleared, alert_fired
from novaops import retention
from tests.dashboard.hooks import post
from tests.dashboard.hooks.post import alarm, as_pagerduty, as_sender, as_sns, confirmation, event, notification
from tests.dashboard.test_alerts import at_minute, watched

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def say(state: str = "ALARM", **more: object) -> None:
    assert as_sns(notification(alarm(state, **more))) == 202


def sources(alert: Alert, **which: object) -> list[str]:
    return sorted(alert.witnesses.filter(**which).values_list("source", flat=True))


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Which signals were sent, in order."""
    told: list[str] = []

    def fired(**_: object) -> None:
        told.append("fired")

    def cleared(**_: object) -> None:
        told.append("cleared")

    alert_fired.connect(fired)
    alert_cleared.connect(cleared)
    yield told
    alert_fired.disconnect(fired)
    alert_cleared.disconnect(cleared)


def test_an_alarm_is_an_alert_of_its_rule(certificates, the_alert, heard):
    say()
    alert = the_alert()
    assert (alert.service, alert.rule, alert.title, alert.severity) == ("api", "high-cpu", "High CPU", "crit")
    assert (alert.source, alert.value, alert.threshold) == ("CloudWatch", None, 80)
    assert alert.sentence.startswith("API server: High CPU, says CloudWatch: Threshold Crossed")
    say("OK")
    assert the_alert().state == AlertState.CLEARED
    assert heard == ["fired", "cleared"]


def test_the_same_trouble_from_three_sources_is_one_alert_with_three_witnesses(certificates, the_alert, heard):
    say()
    as_pagerduty(event())
    inbox.read_waiting()
    alerts.update("sandbox", [watched(*[95.0] * 6)], at_minute(6))
    as_sender({"name": "nova-api-high-cpu", "state": "firing"})
    alert = the_alert()
    assert sources(alert) == ["cloudwatch", "pagerduty", "rule", "sender"]
    assert (alert.value, alert.sentence) == (95, "CPU is at 95 %")
    assert heard == ["fired"]


def test_it_clears_when_its_own_rule_and_those_who_measure_say_so(certificates, the_alert, heard):
    alerts.update("sandbox", [watched(*[95.0] * 6)], at_minute(6))
    say()
    as_pagerduty(event())
    inbox.read_waiting()
    alerts.update("sandbox", [watched(*[95.0] * 6, 40)], at_minute(7))
    assert the_alert().state == AlertState.FIRING
    say("OK")
    alert = the_alert()
    assert alert.state == AlertState.CLEARED
    assert sources(alert, ended_at=None) == []
    assert heard == ["fired", "cleared"]


def test_a_rule_that_never_fired_does_not_end_what_others_tell(certificates, the_alert):
    say()
    inbox.read_waiting()
    alerts.update("sandbox", [watched(*[20.0] * 6)], at_minute(6))
    assert the_alert().state == AlertState.FIRING


def test_an_open_ticket_does_not_outweigh_what_is_measured(certificates, the_alert):
    say()
    as_pagerduty(event())
    say("OK")
    assert the_alert().state == AlertState.CLEARED
    as_pagerduty(event("acknowledged"))
    as_pagerduty(event("resolved"))
    assert the_alert().state == AlertState.CLEARED


def test_pagerduty_alone_begins_and_ends_an_alert(the_alert):
    as_pagerduty(event())
    assert the_alert().source == "PagerDuty"
    as_pagerduty(event("acknowledged"))
    assert the_alert().witnesses.get().sentence.startswith("Acknowledged")
    as_pagerduty(event("resolved"))
    assert the_alert().state == AlertState.CLEARED


def test_what_comes_late_does_not_undo_what_was_told_after_it(certificates, the_alert):
    now = datetime.now(UTC)
    say(at=now - 2 * MINUTE)
    say("OK", at=now)
    say(at=now - MINUTE)
    assert the_alert().state == AlertState.CLEARED
    assert "newer" in Delivery.objects.latest("pk").outcome


def test_an_alarm_on_a_node_joins_the_alert_of_that_node(certificates, monkeypatch, the_alert, environment):
    monkeypatch.setitem(environment.alarms, "memory-full", "redis-memory")
    trigger = {"Namespace": "AWS/ElastiCache", "Dimensions": [{"name": "CacheClusterId", "value": "nova-cache-002"}]}
    say(name="memory-full", Trigger=trigger)
    assert the_alert().resource == "nova-cache-002"
    as_sender({"name": "memory-full", "state": "firing"})
    assert sources(the_alert()) == ["cloudwatch", "sender"]


def test_an_alarm_without_a_rule_is_an_alert_of_what_it_measures(certificates, the_alert):
    say(name="disk-queue", Trigger={"Namespace": "AWS/RDS", "Threshold": 64})
    alert = the_alert()
    assert (alert.service, alert.rule, alert.severity) == ("database", "disk-queue", "warn")
    assert alert.threshold == 64


def test_an_alarm_of_nothing_we_know_is_kept_and_says_what_to_do(certificates, outcome):
    say(name="billing", Trigger={"Namespace": "AWS/Billing"})
    assert "names no rule" in outcome()
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (lambda: notification(alarm("INSUFFICIENT_DATA")), "no data"),
        (lambda: notification(alarm(AWSAccountId="210987654321")), "another account"),
        (lambda: notification('{"hello": 1}'), "not a CloudWatch alarm"),
        (lambda: notification("hello"), "Not understood"),
        (lambda: notification("x", Type="UnsubscribeConfirmation", Token="t", SubscribeURL="u"), "unsubscribed"),
    ],
)
def test_what_changes_nothing_says_why(message, said: str, certificates, outcome):
    assert as_sns(message()) == 202
    assert said in outcome()
    assert not Alert.objects.exists()


@pytest.mark.parametrize("kind", ["pagey.ping", "incident.annotated", "service.updated", "of.tomorrow"])
def test_unknown_events_of_pagerduty_are_taken_and_change_nothing(kind: str, outcome):
    message = event(kind=kind)
    message["event"]["resource_type"] = kind.partition(".")[0]
    message["event"]["data"].pop("status")
    assert as_pagerduty(message) == 202
    assert "Nothing follows" in outcome()


def test_an_incident_of_another_service_is_not_ours(outcome):
    as_pagerduty(event(service={"id": "POTHER"}))
    assert "does not name" in outcome()


def test_a_topic_that_asks_waits_for_a_person_and_its_address_is_never_fetched(certificates, outcome):
    assert as_sns(confirmation()) == 202
    assert "asks to be confirmed" in outcome()
    assert Subscription.objects.get().state == Subscription.State.ASKED
    assert certificates.asked == ["/SimpleNotificationService-0123456789abcdef.pem"]


def test_a_defect_with_one_message_does_not_hold_up_the_next(monkeypatch, caplog):
    from dashboard.hooks import reading

    plain = reading.use

    def broken(delivery: Delivery) -> None:
        if delivery.ident == "broken-one":
            raise ZeroDivisionError
        plain(delivery)

    monkeypatch.setattr(reading, "use", broken)
    as_sender({"name": "x", "state": "firing", "service": "api"}, ident="broken-one")
    as_sender({"name": "x", "state": "firing", "service": "api"})
    inbox.read_waiting()
    assert [one.state for one in Delivery.objects.order_by("pk")] == ["unreadable", "used"]
    assert "broke" in caplog.text


def test_old_deliveries_are_forgotten_once_they_are_read():
    for _ in range(2):
        as_sender({"name": "x", "state": "cleared", "service": "api"})
    Delivery.objects.update(received_at=datetime.now(UTC) - timedelta(days=31))
    retention.forget(Delivery, datetime.now(UTC))
    assert Delivery.objects.count() == 2
    inbox.read_waiting()
    retention.forget(Delivery, datetime.now(UTC))
    assert not Delivery.objects.exists()


def in_parallel(times: int, call: Callable[[], object]) -> list[object]:
    found: list[object] = []

    def run() -> None:
        try:
            found.append(call())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.django_db(transaction=True)
def test_copies_that_come_at_once_are_one_delivery_and_one_alert(certificates):
    told, message = event(), notification()
    raw = post.bytes_of({"name": "nova-api-high-cpu", "state": "firing"})
    headers = post.sender_headers(raw)
    assert in_parallel(6, lambda: as_pagerduty(told)) == [202] * 6
    assert in_parallel(6, lambda: as_sns(message)) == [202] * 6
    assert sorted(in_parallel(6, lambda: post.send("synthetics", raw, headers))) == [202, *[409] * 5]
    in_parallel(4, inbox.read_waiting)
    assert Delivery.objects.filter(state=Delivery.State.USED).count() == 3
    assert Alert.objects.get().witnesses.count() == 3
    assert Witness.objects.count() == 3
