"""The error lines of an incident are read once from CloudWatch and stand, harmless, in its document."""

from datetime import timedelta

import boto3
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from incidents import checklist, documents, excerpts
from incidents.models import Incident, Postmortem, TimelineEntry
from incidents.postmortem.render import render
from novaops.environment import Environment
from tests.servers import Nova

pytestmark = pytest.mark.django_db
HOSTILE = "ERROR ``` </details> <script>alert(1)</script> | x"


@pytest.fixture
def resolved(worked: Incident, commander: User) -> Incident:
    return checklist.complete(worked.number, "resolve", by=commander)


def log(place: Environment, message: str) -> None:
    group, at = place.api.on_ecs.log_group, timezone.now() - timedelta(minutes=1)
    client = boto3.client("logs")
    client.create_log_stream(logGroupName=group, logStreamName="of-the-test")
    event = {"timestamp": int(at.timestamp() * 1000), "message": message}
    client.put_log_events(logGroupName=group, logStreamName="of-the-test", logEvents=[event])


def test_the_lines_are_attached_once_and_stay_in_their_place(
    aws: Nova, place: Environment, resolved: Incident, commander: User
) -> None:
    log(place, HOSTILE)
    documents.ensure(resolved.number, by=commander, base_url="")
    for _ in range(2):
        excerpts.attach(timezone.now())
    entry = TimelineEntry.objects.get(dedup_key__startswith="excerpt:")
    assert any(HOSTILE in line for line in entry.data["excerpt"])
    document = Postmortem.objects.get()
    assert document.version == 2
    html = render(document.text)
    assert "&lt;/details&gt; &lt;script&gt;" in html
    assert html.count("<details>") == html.count("</details>")


def test_what_cloudwatch_does_not_tell_is_asked_again(aws: Nova, resolved: Incident) -> None:
    aws.faults([{"service": "logs", "operation": "FilterLogEvents", "kind": "denied", "times": 1}])
    excerpts.attach(timezone.now())
    assert not TimelineEntry.objects.filter(dedup_key__startswith="excerpt:").exists()
    excerpts.attach(timezone.now())
    assert TimelineEntry.objects.filter(dedup_key__startswith="excerpt:").count() == 1


def test_a_document_that_somebody_is_writing_is_left_alone(
    aws: Nova, place: Environment, resolved: Incident, commander: User
) -> None:
    log(place, "ERROR out of memory")
    first = documents.ensure(resolved.number, by=commander, base_url="")
    documents.save(resolved.number, "My words.", first.version, by=commander)
    excerpts.attach(timezone.now())
    assert Postmortem.objects.get().text == "My words."
