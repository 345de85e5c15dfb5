"""The sandbox's page starts scenarios for those who may, and says why not to the others."""

import os

import pytest
from django.test import override_settings
from django.urls import reverse

from novaops.audit.models import Entry
from novaops.sandbox import steering

pytestmark = pytest.mark.django_db(transaction=True)


def playing() -> str:
    return str(steering.state(os.environ["NOVAOPS_SANDBOX_URL"])["scenario"])


def test_it_starts_a_scenario_and_records_who_did(aws, responder, client_of):
    answer = client_of(responder).post(reverse("sandbox:play"), {"name": "high-cpu"}, follow=True)
    assert "The scenario high-cpu has started." in answer.content.decode()
    assert playing() == "high-cpu"
    entry = Entry.objects.get(verb="sandbox.steered")
    assert (entry.actor, entry.subject) == ("responder", "high-cpu")


def test_it_starts_over(aws, commander, client_of):
    client = client_of(commander)
    client.post(reverse("sandbox:play"), {"name": "high-cpu"})
    client.post(reverse("sandbox:reset"))
    assert playing() == "calm"


def test_an_unknown_scenario_is_named_and_not_recorded(aws, responder, client_of):
    answer = client_of(responder).post(reverse("sandbox:play"), {"name": "no-such"}, follow=True)
    assert "There is no scenario &#x27;no-such&#x27;" in answer.content.decode()
    assert not Entry.objects.exists()


def test_a_viewer_sees_why_not_and_cannot(aws, viewer, client_of):
    client = client_of(viewer)
    page = client.get(reverse("sandbox:scenarios")).content.decode()
    assert "Your role may not steer the sandbox" in page
    assert (
        page.count('disabled aria-describedby="why-not"')
        == len(steering.state(os.environ["NOVAOPS_SANDBOX_URL"])["scenarios"]) + 1
    )
    assert client.post(reverse("sandbox:play"), {"name": "high-cpu"}).status_code == 403
    assert playing() == "calm"


@pytest.mark.parametrize("name", ["sandbox:play", "sandbox:reset"])
def test_it_rejects_get(responder, client_of, name):
    assert client_of(responder).get(reverse(name)).status_code == 405


def test_a_sandbox_that_does_not_answer_gets_a_sentence(responder, client_of):
    with override_settings(SANDBOX_URL="http://127.0.0.1:9/_sandbox"):
        page = client_of(responder).get(reverse("sandbox:scenarios")).content.decode()
    assert "The sandbox does not answer" in page
