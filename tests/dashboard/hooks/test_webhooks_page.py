"""The administrator's page of webhooks."""

import pytest

from dashboard.hooks import inbox
from tests.dashboard.hooks import post
from tests.dashboard.hooks.post import as_pagerduty, as_sender, event

pytestmark = pytest.mark.django_db


def test_it_shows_sources_what_came_of_their_messages_and_the_last_refusal(admin, client_of):
    as_pagerduty(event())
    as_sender({"name": "x", "state": "firing", "service": "api"})
    as_sender({"name": "x"}, key=b"another secret than that")
    inbox.read_waiting()
    page = client_of(admin).get("/settings/webhooks/").content.decode()
    for words in (
        "/hooks/pagerduty",
        "/hooks/synthetics",
        "An alert began",
        "its signature is wrong",
        "SNS: nova-alarms",
    ):
        assert words in page


def test_a_source_without_its_secret_is_pointed_out(admin, client_of, monkeypatch):
    monkeypatch.delenv("SYNTHETICS_SECRETS")
    assert "No secret" in client_of(admin).get("/settings/webhooks/").content.decode()


def test_no_secret_token_or_body_is_shown(admin, client_of, certificates):
    post.as_sns(post.confirmation())
    as_sender({"name": "x", "state": "firing", "service": "api", "password": "hunter2"})
    inbox.read_waiting()
    page = client_of(admin).get("/settings/webhooks/").content.decode()
    assert "Asks to be confirmed" in page
    for hidden in ("t" * 40, "hunter2", post.secret("SYNTHETICS_SECRETS").decode()):
        assert hidden not in page


@pytest.mark.parametrize("role", ["viewer", "responder", "commander"])
def test_it_is_the_administrators_alone(role: str, user_with_role, client_of):
    assert client_of(user_with_role(role, "someone")).get("/settings/webhooks/").status_code == 403
