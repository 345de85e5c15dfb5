"""Second factors: who is led to one, what a step-up asks for, and how their secrets rest."""

import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from cryptography.fernet import InvalidToken
from django.contrib.auth.models import User
from django.test import Client

from novaops.access import sudo
from novaops.access.factors import Adapter
from novaops.audit.models import Entry

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "a-long-enough-password"


def code_now() -> str:
    return format_hotp_value(hotp_value(SECRET, int(time.time()) // 30))


@pytest.fixture
def enrolled(commander: User) -> User:
    """A commander with a password, an authenticator app and recovery codes."""
    commander.set_password(PASSWORD)
    commander.save()
    TOTP.activate(commander, SECRET)
    RecoveryCodes.activate(commander)
    return commander


def stepped_up(client: Client) -> bool:
    return sudo.KEY in client.session


def test_an_account_without_a_factor_proves_itself_by_its_password(client_of: Any, commander: User) -> None:
    commander.set_password(PASSWORD)
    commander.save()
    client = client_of(commander)
    assert client.post("/sudo/", {"method": "password", "password": PASSWORD, "next": "/runs/"}).status_code == 302
    assert stepped_up(client)


def test_an_account_with_an_app_proves_itself_by_a_code_and_the_session_key_changes(
    client_of: Any, enrolled: User
) -> None:
    client = client_of(enrolled)
    key = client.session.session_key
    answer = client.post("/sudo/", {"method": "code", "code": code_now(), "next": "/runs/"})
    assert (answer.status_code, answer["Location"]) == (302, "/runs/")
    assert stepped_up(client)
    assert client.session.session_key != key
    assert Entry.objects.order_by("-seq")[0].detail == {"method": "code"}


def test_its_password_alone_is_no_longer_enough(client_of: Any, enrolled: User) -> None:
    client = client_of(enrolled)
    answer = client.post("/sudo/", {"method": "password", "password": PASSWORD})
    assert answer.status_code == 200
    assert not stepped_up(client)
    assert b"Code of your authenticator app" in answer.content
    assert b"Your password" not in answer.content


@pytest.mark.parametrize("code", ["000000", "", "x" * 300, "12345٣"])
def test_a_wrong_code_is_refused(client_of: Any, enrolled: User, code: str) -> None:
    client = client_of(enrolled)
    assert client.post("/sudo/", {"method": "code", "code": code}).status_code == 200
    assert not stepped_up(client)


def test_a_code_is_taken_once(client_of: Any, enrolled: User) -> None:
    code = code_now()
    assert client_of(enrolled).post("/sudo/", {"method": "code", "code": code}).status_code == 302
    again = client_of(enrolled)
    again.post("/sudo/", {"method": "code", "code": code})
    assert not stepped_up(again)


def test_a_recovery_code_stands_in_once(client_of: Any, enrolled: User) -> None:
    code = Authenticator.objects.get(user=enrolled, type="recovery_codes").wrap().get_unused_codes()[0]
    first, second = client_of(enrolled), client_of(enrolled)
    first.post("/sudo/", {"method": "code", "code": code})
    second.post("/sudo/", {"method": "code", "code": code})
    assert (stepped_up(first), stepped_up(second)) == (True, False)


def test_attempts_are_limited(client_of: Any, enrolled: User) -> None:
    client = client_of(enrolled)
    for _ in range(11):
        client.post("/sudo/", {"method": "code", "code": "000000"})
    assert client.post("/sudo/", {"method": "code", "code": code_now()}).status_code == 200
    assert not stepped_up(client)


def test_where_factors_are_required_whoever_can_change_nova_is_led_to_one(
    client_of: Any, commander: User, settings: Any
) -> None:
    settings.FACTOR_REQUIRED = True
    client = client_of(commander)
    assert client.get("/runs/")["Location"] == "/accounts/2fa/"
    assert client.get("/runs/", headers={"HX-Request": "true"})["HX-Redirect"] == "/accounts/2fa/"
    assert client.get("/accounts/2fa/").status_code == 200


def test_a_viewer_is_not_and_whoever_has_one_is_not(
    client_of: Any, viewer: User, enrolled: User, settings: Any
) -> None:
    settings.FACTOR_REQUIRED = True
    assert client_of(viewer).get("/runs/").status_code == 200
    assert client_of(enrolled).get("/runs/").status_code == 200


def test_secrets_rest_encrypted_and_survive_a_change_of_the_secret_key(enrolled: User, settings: Any) -> None:
    stored = Authenticator.objects.get(user=enrolled, type="totp").data["secret"]
    assert SECRET not in stored
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-secret-key-of-at-least-32-characters"
    with pytest.raises(InvalidToken):
        Adapter().decrypt(stored)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert Adapter().decrypt(stored) == SECRET
