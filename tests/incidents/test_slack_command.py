"""`/nova` in Slack: only what Slack signed, only once, only as the account that an administrator named."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from slack_sdk.signature import SignatureVerifier

from incidents.models import Incident, SlackPerson
from novaops.audit.models import Entry
from novaops.environment import Environment

SECRET = "sandbox-signing-secret"
URL = "/hooks/slack/command"
KIND = "application/x-www-form-urlencoded"


def signed(body: str, *, age_s: float = 0, secret: str = SECRET) -> dict[str, str]:
    at = str(int(time.time() - age_s))
    signature = SignatureVerifier(secret).generate_signature(timestamp=at, body=body)
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": str(signature)}


@pytest.fixture
def typed(place: Environment, admin: User, responder: User) -> Callable[..., Any]:
    """Types `/nova ...` in Slack as the responder: `typed("status")`."""
    SlackPerson.objects.create(slack_user="U0RESPOND", user=responder, added_by=admin)

    def type_it(text: str, user: str = "U0RESPOND", **how: Any) -> Any:
        body = urlencode({"command": "/nova", "text": text, "user_id": user})
        return Client(enforce_csrf_checks=True).post(URL, body, content_type=KIND, headers=signed(body, **how))

    return type_it


def text(answer: Any) -> str:
    assert (answer.status_code, answer.json()["response_type"]) == (200, "ephemeral")
    return str(answer.json()["text"])


def test_an_incident_is_declared_from_slack(typed: Callable[..., Any], responder: User) -> None:
    said = text(typed("declare sev2 api,cache Logins fail & nothing <works>"))
    incident = Incident.objects.get()
    assert said.startswith("INC-1 is declared as SEV2: Logins fail &amp; nothing &lt;works&gt; http")
    assert (incident.title, incident.services, incident.declared_by) == (
        "Logins fail & nothing <works>",
        ["api", "cache"],
        responder,
    )
    assert Entry.objects.get(verb="incident.declared").via == "slack"
    assert incident.timeline.filter(data__report=True, author=responder).exists()


def test_a_second_declaration_leads_to_the_open_incident(typed: Callable[..., Any]) -> None:
    typed("declare sev2 api Logins fail")
    assert text(typed("declare sev3 api Logins still fail")).startswith("INC-1 is open for this: Logins fail")
    assert Incident.objects.count() == 1


def test_status_names_what_is_open(typed: Callable[..., Any], place: Environment) -> None:
    assert text(typed("status")).endswith("No incident is open.")
    typed("declare sev1 database Nothing is stored")
    assert "SEV1 INC-1 Nothing is stored, commander: nobody yet" in text(typed(f"status {place.name}"))


@pytest.mark.parametrize("said", ["", "help", "approve 7", "run restart-api", "declare", "declare sev9 api x"])
def test_anything_else_is_answered_with_what_is_understood(typed: Callable[..., Any], said: str) -> None:
    assert "/nova status: how Nova is" in text(typed(said))


def test_a_stranger_is_told_whom_to_ask(typed: Callable[..., Any]) -> None:
    assert "ask an admin" in text(typed("declare sev2 api Logins fail", user="U0STRANGE"))
    assert not Incident.objects.exists()


def test_the_account_does_what_its_role_may(typed: Callable[..., Any], viewer: User, admin: User) -> None:
    SlackPerson.objects.create(slack_user="U0VIEWER", user=viewer, added_by=admin)
    assert "may not write in incidents" in text(typed("declare sev2 api Logins fail", user="U0VIEWER"))
    viewer.is_active = False
    viewer.save()
    assert text(typed("status", user="U0VIEWER")) == "Sign in first."


@pytest.mark.parametrize(
    "how", [pytest.param({"age_s": 301}, id="old"), pytest.param({"secret": "another"}, id="another-secret")]
)
def test_what_slack_did_not_sign_just_now_is_refused(typed: Callable[..., Any], how: dict[str, Any]) -> None:
    answer = typed("declare sev2 api Logins fail", **how)
    assert (answer.status_code, answer.content, Incident.objects.count()) == (401, b"refused\n", 0)


@pytest.mark.parametrize("changed", [{}, {"X-Slack-Request-Timestamp": "soon"}, {"X-Slack-Signature": "v0=00"}])
def test_a_missing_or_broken_signature_is_refused(typed: Callable[..., Any], changed: dict[str, str]) -> None:
    headers = {**signed("text=status"), **changed} if changed else {}
    answer = Client().post(URL, "text=status", content_type=KIND, headers=headers)
    assert answer.status_code == 401


def test_without_a_secret_nothing_is_taken(typed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOVA_SLACK_SIGNING_SECRET")
    assert typed("status", secret="x").status_code == 401


def test_the_same_request_again_does_nothing(typed: Callable[..., Any]) -> None:
    body = urlencode({"text": "declare sev2 api Logins fail", "user_id": "U0RESPOND"})
    headers = signed(body)
    answers = [Client().post(URL, body, content_type=KIND, headers=headers).status_code for _ in range(2)]
    assert (answers, Incident.objects.count()) == ([200, 409], 1)


def test_an_administrator_says_who_is_who(
    place: Environment, admin: User, responder: User, client_of: Callable[[User], Client]
) -> None:
    client, page = client_of(admin), "/incidents/slack-people"
    assert client.post(page, {"slack_user": "someone", "user": responder.pk}).status_code == 409
    assert client.post(page, {"slack_user": "U024BE7LH", "user": responder.pk}).status_code == 302
    person = SlackPerson.objects.get()
    assert "U024BE7LH" in client.get(page).content.decode()
    client.post(f"{page}/{person.pk}/remove")
    assert not SlackPerson.objects.exists()
    assert (
        list(Entry.objects.filter(verb__startswith="slack.").values_list("subject", flat=True))
        == ["U024BE7LH is responder"] * 2
    )
