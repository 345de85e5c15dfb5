"""The alarms of the simulated CloudWatch, through its SNS, by queue and by HTTPS, until they are alerts."""

import os
from collections.abc import Iterator

import boto3
import pytest
from django.db.utils import OperationalError

from dashboard.hooks import inbox, polling, subscriptions
from dashboard.hooks.models import Delivery, Subscription
from dashboard.models import Alert, AlertState
from novaops.audit.models import Entry
from novaops.cloud import sns as cloud_sns
from novaops.cloud import sqs
from novaops.environment import Environment
from tests.sandbox.conftest import eventually
from tests.servers import Nova

ALARM = "nova-api-high-cpu"


def client(service: str):
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="eu-west-1")


def ring(state: str = "ALARM") -> None:
    """Let the alarm be in that state; it goes back by itself at its next evaluation."""
    client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason="as a test wants it")


def send(body: str, environment: Environment) -> None:
    client("sqs").send_message(QueueUrl=environment.hooks.queue_url, MessageBody=body)


def states() -> set[str]:
    return set(Delivery.objects.values_list("state", flat=True))


@pytest.mark.django_db
def test_an_alarm_of_cloudwatch_becomes_an_alert_by_its_queue_and_clears(aws: Nova, environment):
    aws.reset(sample_s=1)
    ring()
    eventually(lambda: polling.poll(environment) > 0 and Alert.objects.exists(), bool, timeout_s=10)
    assert Alert.objects.get().rule == "high-cpu"
    eventually(
        lambda: polling.poll(environment) > 0 and Alert.objects.get().state == AlertState.CLEARED, bool, timeout_s=10
    )
    assert states() <= {"used", "ignored"}
    assert sqs.receive(environment, environment.hooks.queue_url) == []


@pytest.mark.django_db
def test_a_message_is_deleted_only_once_it_is_kept(aws: Nova, environment, monkeypatch):
    monkeypatch.setattr(sqs, "HIDDEN_S", 0)

    def away(*_: object) -> None:
        raise OperationalError

    send('{"hello": 1}', environment)
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "keep", away)
        with pytest.raises(OperationalError):
            polling.poll(environment)
    assert polling.poll(environment) == 1
    assert polling.poll(environment) == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("nonsense", True),
        ('{"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:210987654321:theirs", "Message": "{}"}', False),
    ],
)
def test_what_else_is_in_the_queue_is_no_alert(body: str, kept: bool, aws: Nova, environment):
    send(body, environment)
    polling.poll(environment)
    assert Delivery.objects.filter(via="sqs").exists() is kept
    assert not Alert.objects.exists()


@pytest.mark.django_db
def test_one_worker_polls_at_a_time(aws: Nova, environment):
    from django.core.cache import cache

    send("one", environment)
    cache.add(f"hooks:polling:{environment.name}", 1)
    assert polling.poll(environment) == 0
    cache.delete(f"hooks:polling:{environment.name}")
    assert polling.poll(environment) == 1


@pytest.mark.django_db
def test_a_queue_that_does_not_answer_is_no_error(environment, monkeypatch, caplog, aws: Nova):
    aws.faults([{"service": "sqs", "operation": "ReceiveMessage", "kind": "denied", "times": 3}])
    assert polling.poll(environment) == 0
    assert "could not be read" in caplog.text


@pytest.fixture
def listening(aws: Nova, transactional_db: None, live_server) -> Iterator[str]:
    """The address of a site that the simulated SNS may send to, until the test is over and no longer."""
    yield f"{live_server.url}/hooks/sns"
    aws.reset()


@pytest.mark.long(8)
def test_a_topic_is_accepted_by_an_administrator_and_tells_over_https_what_the_queue_tells_too(
    listening: str, admin, client_of, environment
):
    cloud_sns.forget()
    topic = environment.hooks.topics[0]
    client("sns").subscribe(TopicArn=topic, Protocol="http", Endpoint=listening)
    eventually(lambda: inbox.read_waiting() > 0 and Subscription.objects.exists(), bool, timeout_s=10)
    ring()
    eventually(lambda: polling.poll(environment) > 0, bool, timeout_s=10)
    assert not Delivery.objects.filter(via="https").exclude(outcome__contains="confirmed").exists()
    page = client_of(admin)
    asked = Subscription.objects.get()
    assert topic in page.get("/settings/webhooks/").content.decode()
    page.post(f"/settings/webhooks/{asked.pk}/accept")
    subscriptions.confirm_accepted()
    asked.refresh_from_db()
    assert (asked.state, asked.sentence) == ("confirmed", "AWS sends its alarms here")
    assert set(Entry.objects.values_list("verb", flat=True)) == {"topic.accepted", "topic.confirmed"}
    before = Delivery.objects.count()
    ring()
    eventually(lambda: Delivery.objects.filter(via="https", pk__gt=asked.pk).count() > 1, bool, timeout_s=10)
    polling.poll(environment)
    inbox.read_waiting()
    assert Delivery.objects.count() > before
    assert Delivery.objects.values("ident").distinct().count() == Delivery.objects.count()


@pytest.mark.django_db
def test_a_topic_that_aws_does_not_know_says_so(aws: Nova, environment, admin):
    asked = Subscription.objects.create(
        environment="sandbox", topic=environment.hooks.topics[0], token="x", asked_at="2026-11-25T00:00:00Z"
    )
    assert subscriptions.accept(asked, by=admin)
    assert not subscriptions.accept(asked, by=admin)
    subscriptions.confirm_accepted()
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert "InvalidParameter" in asked.sentence
