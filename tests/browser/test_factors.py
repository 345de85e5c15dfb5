"""Second factors in a real browser: an authenticator app and a security key, from enrolment to the step-up."""

import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page

from novaops.access import sudo
from novaops.audit.models import Entry
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS
from tests.browser.watch import axe, faults

PASSWORD = "a-long-enough-password"
# A new proof is a new session: a poll that is under way then belongs to the old one.
OVERTAKEN = ("401",)


def sign_in(page: Page, user: User) -> None:
    user.set_password(PASSWORD)
    user.save()
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda address: "/accounts/login/" not in address)


def confirm(page: Page) -> None:
    """Factors are changed only by whoever has just proven themselves."""
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


@pytest.mark.long(9)
def test_an_authenticator_app_is_set_up_and_asked_for_at_the_next_sign_in(open_page: OpenPage, commander: User) -> None:
    page = open_page(expect=OVERTAKEN)
    sign_in(page, commander)
    page.goto("/accounts/2fa/")
    assert faults(page, LOOKS) == []
    page.get_by_role("link", name="Set it up").click()
    confirm(page)
    page.get_by_role("heading", name="Set up an authenticator app").wait_for()
    assert faults(page, LOOKS) == []
    secret = page.locator("form code").inner_text()
    page.get_by_label("Authenticator code").fill(code(secret))
    page.get_by_role("button", name="Activate").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    assert axe(page) == []
    other = open_page()
    sign_in(other, commander)
    other.get_by_role("heading", name="One more proof").wait_for()
    assert axe(other) == []
    other.get_by_label("Code").fill(code(secret, steps_ahead=1))
    other.get_by_role("button", name="Sign in").click()
    other.locator("#overview").wait_for()


def code(secret: str, steps_ahead: int = 0) -> str:
    """What the app shows now, or will show a step later: each code is taken once."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps_ahead))


@pytest.mark.long(7)
def test_a_security_key_is_added_and_steps_up(open_page: OpenPage, commander: User) -> None:
    page = open_page(expect=OVERTAKEN)
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True}
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "automaticPresenceSimulation": True}})
    sign_in(page, commander)
    page.goto("/accounts/2fa/webauthn/add/")
    confirm(page)
    page.get_by_role("heading", name="Add a security key or passkey").wait_for()
    assert axe(page) == []
    page.get_by_role("button", name="Add it").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    page.goto("/sudo/?next=/runs/")
    assert faults(page, LOOKS) == []
    page.get_by_role("button", name="Use your key").click()
    page.get_by_role("heading", name="Runs", exact=True).wait_for()
    assert Entry.objects.filter(verb="sudo.granted").latest("seq").detail == {"method": "key"}
    for nonsense in ("", "{}", "[]", "null", '{"id": 1}', "not json", '{"response": []}'):
        client = Client()
        client.force_login(commander)
        client.get("/sudo/")
        assert client.post("/sudo/", {"method": "key", "credential": nonsense}).status_code == 200, nonsense
        assert sudo.KEY not in client.session
