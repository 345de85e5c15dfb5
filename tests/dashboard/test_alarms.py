"""Lost messages of CloudWatch: what its alarms say when asked begins and ends alerts, once their message is overdue."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from django.utils import timezone

from dashboard import alarms, collect, witnesses
from dashboard.models import Alert, AlertState, Reading, Witness
from novaops.cloud import aws as aws_calls
from novaops.cloud.cloudwatch import Alarm
from tests.dashboard.conftest import unsaved_reading

pytestmark = pytest.mark.django_db
NAME, MINUTE = "nova-api-high-cpu", timedelta(minutes=1)
# What put_metric_alarm takes of what describe_alarms tells.
MEASURED = ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period")
COMPARED = ("EvaluationPeriods", "Threshold", "ComparisonOperator")


def told(state, ago, **more):
    alarm = Alarm(name=NAME, state=state, at=timezone.now() - ago, reason="Threshold Crossed", **more)
    return {NAME: alarm}


def reconcile(environment, *args, **more):
    alarms.reconcile(environment, told(*args, **more), timezone.now())


@pytest.fixture
def firing(environment) -> Alert:
    """An alert of the alarm that its message began ten minutes ago."""
    alarms.witnesses.tell(alarms._notice(environment, told("ALARM", 10 * MINUTE)[NAME]))
    return Alert.objects.get()


def test_an_ok_whose_message_was_lost_ends_its_alert_and_is_said_on_it(environment, firing):
    reconcile(environment, "OK", 3 * MINUTE)
    firing.refresh_from_db()
    assert firing.state == AlertState.CLEARED
    said = firing.witnesses.get().sentence
    assert said.startswith("OK since ")
    assert "no message told of it. Threshold Crossed" in said


@pytest.mark.parametrize(
    ("state", "ago"), [("OK", MINUTE), ("OK", 11 * MINUTE), ("ALARM", 10 * MINUTE), ("INSUFFICIENT_DATA", 5 * MINUTE)]
)
def test_what_may_still_be_told_or_is_older_or_unknown_changes_nothing(environment, firing, state, ago):
    reconcile(environment, state, ago)
    alarms.reconcile(environment, {}, timezone.now())
    firing.refresh_from_db()
    assert (firing.state, firing.witnesses.get().ended_at) == (AlertState.FIRING, None)


def test_an_alarm_whose_message_was_lost_begins_one_alert(environment):
    reconcile(environment, "ALARM", MINUTE)
    reconcile(environment, "ALARM", 3 * MINUTE, tells=False)
    assert not Alert.objects.exists()
    for _ in range(2):
        reconcile(environment, "ALARM", 3 * MINUTE)
    alert = Alert.objects.get()
    assert (alert.rule, alert.source, alert.state) == ("high-cpu", "CloudWatch", AlertState.FIRING)
    assert "In alarm since " in alert.sentence
    assert timezone.now() - alert.started_at >= 3 * MINUTE


def test_an_alert_that_somebody_closed_stays_closed_until_the_alarm_changes(environment, firing):
    witnesses.clear(firing, timezone.now() - 5 * MINUTE)
    reconcile(environment, "ALARM", 10 * MINUTE)
    assert Alert.objects.get().state == AlertState.CLEARED
    reconcile(environment, "ALARM", 3 * MINUTE)
    assert Alert.objects.filter(state=AlertState.FIRING).count() == 1


def test_alarms_are_looked_up_once_a_minute_those_of_alerts_first(environment, firing):
    Witness.objects.update(name="another")
    noon = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
    before = Reading(at=noon)
    assert alarms.due(environment, None, noon) == alarms.due(environment, before, noon + timedelta(seconds=20)) == []
    assert alarms.due(environment, before, noon + timedelta(seconds=31)) == ["another", *sorted(environment.alarms)]


@pytest.mark.django_db(transaction=True)
def test_a_round_takes_cloudwatch_at_its_word(aws, environment, firing, monkeypatch):
    cloudwatch = boto3.client("cloudwatch")
    # Whenever CloudWatch evaluates it: where nothing is measured yet, its state stays.
    seeded = cloudwatch.describe_alarms(AlarmNames=[NAME])["MetricAlarms"][0]
    cloudwatch.put_metric_alarm(**{key: seeded[key] for key in MEASURED + COMPARED}, TreatMissingData="ignore")
    cloudwatch.set_alarm_state(AlarmName=NAME, StateValue="OK", StateReason="calm")
    unsaved_reading(environment, "novaops", timezone.now() - MINUTE).save()
    # The simulated CloudWatch may look at its alarms after this round has begun.
    monkeypatch.setattr(alarms, "PATIENCE", -MINUTE)
    assert collect.collect(environment, early=True)
    firing.refresh_from_db()
    assert firing.witnesses.get(source="cloudwatch").sentence.startswith("OK since ")


@pytest.mark.django_db(transaction=True)
def test_a_round_says_where_alarms_could_not_be_looked_up(aws, environment):
    aws.faults([{"service": "cloudwatch", "operation": "DescribeAlarms", "kind": "denied", "times": 1}])
    unsaved_reading(environment, "novaops", timezone.now() - MINUTE).save()
    done = collect.collect(environment, early=True)
    assert any(sentence.startswith("CloudWatch alarms: ") for sentence in done.failed)
    aws_calls.take_tally(environment)
