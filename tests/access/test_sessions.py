"""The end of a session: after two hours without use, by signing out, and never by a poll that came too late."""

import time
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from novaops.access.middleware import LAST_SEEN

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/runs/"}
POLL = "/fragments/overview?rev="
PASSWORD = "a-long-enough-password"


def _last_used(client: Client, ago_s: int) -> int:
    """Let the client's session have been used last so long ago, and say when that was."""
    session = client.session
    session[LAST_SEEN] = seen_s = int(time.time()) - ago_s
    session.save()
    return seen_s


@pytest.mark.parametrize(
    ("unused_s", "status"), [(settings.SESSION_IDLE_S - 60, 200), (settings.SESSION_IDLE_S + 60, 302)]
)
def test_a_session_ends_after_two_hours_without_use(client_of: Any, viewer: User, unused_s: int, status: int) -> None:
    client = client_of(viewer)
    _last_used(client, unused_s)
    assert client.get("/runs/").status_code == status


def test_an_open_page_that_polls_does_not_keep_a_session_alive(client_of: Any, viewer: User) -> None:
    client = client_of(viewer)
    seen = _last_used(client, 3600)
    client.get(POLL, headers=HTMX)
    assert client.session[LAST_SEEN] == seen
    client.get("/runs/")
    assert client.session[LAST_SEEN] > seen


@pytest.mark.parametrize("path", [POLL, "/fragments/notices?rev=", "/runs/"])
def test_what_was_asked_before_a_proof_and_answered_after_it_leaves_the_new_session_alone(
    client_of: Any, commander: User, path: str
) -> None:
    commander.set_password(PASSWORD)
    commander.save()
    client = client_of(commander)
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post("/sudo/", {"method": "password", "password": PASSWORD, "next": "/runs/"})
    after = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.cookies[settings.SESSION_COOKIE_NAME] = before
    late = client.get(path, headers=HTMX)
    assert (late.status_code, late["HX-Redirect"]) == (401, "/accounts/login/?next=%2Fruns%2F")
    assert settings.SESSION_COOKIE_NAME not in late.cookies
    client.cookies[settings.SESSION_COOKIE_NAME] = after
    assert client.get("/runs/").status_code == 200


def test_signing_out_takes_the_cookie_away(client_of: Any, viewer: User) -> None:
    client = client_of(viewer)
    assert client.post("/accounts/logout/").cookies[settings.SESSION_COOKIE_NAME].value == ""
    assert client.get("/runs/").status_code == 302
