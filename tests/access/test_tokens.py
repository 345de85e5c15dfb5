"""Tokens: shown once, never stronger than their owner, dead when revoked, expired or orphaned."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from novaops import environment as environments
from novaops.access import tokens
from novaops.access.models import Scope, Token
from novaops.access.policy import Verb
from novaops.audit.models import Entry

pytestmark = pytest.mark.django_db
HERE = "192.0.2.7"


@pytest.fixture
def token_of() -> Callable[..., tuple[Token, str]]:
    """Makes tokens with every scope: `token_of(user, days=3)`."""

    def make(owner: User, **options: object) -> tuple[Token, str]:
        wanted = {"name": "pager", "scopes": Scope.values, "days": 30, "by": owner, **options}
        return tokens.create(owner, **wanted)  # type: ignore[arg-type]

    return make


TokenOf = Callable[..., tuple[Token, str]]


def test_its_secret_is_kept_nowhere(token_of: TokenOf, responder: User) -> None:
    token, text = token_of(responder)
    prefix, public_id, secret = text.split("_", 2)
    assert (prefix, public_id, len(secret)) == ("nova", token.public_id, 43)
    stored = [str(value) for value in Token.objects.filter(pk=token.pk).values_list().get()]
    stored += [str(vars(entry)) for entry in Entry.objects.all()]
    assert not any(secret in one for one in stored)


def test_it_is_recognised_and_its_first_use_is_audited_once(token_of: TokenOf, responder: User) -> None:
    token, text = token_of(responder)
    assert tokens.recognise(text, address=HERE) == token
    assert tokens.recognise(text, address=HERE) == token
    assert [entry.verb for entry in Entry.objects.order_by("seq")] == ["token.created", "token.first-used"]
    token.refresh_from_db()
    assert token.last_used_at is not None


def test_a_wrong_secret_or_shape_is_nobody(token_of: TokenOf, responder: User) -> None:
    _, text = token_of(responder)
    last = "A" if text[-1] != "A" else "B"
    for wrong in (text[:-1] + last, text + "A", text[5:], "", f"nova_{'a' * 8}_{'b' * 43}", f"{text}\n"):
        assert tokens.recognise(wrong, address=HERE) is None


def test_it_is_dead_when_revoked(token_of: TokenOf, responder: User, commander: User) -> None:
    token, text = token_of(responder)
    tokens.revoke(token, by=commander)
    tokens.revoke(token, by=commander)
    assert tokens.recognise(text, address=HERE) is None
    entry = Entry.objects.get(verb="token.revoked")
    assert (entry.actor, entry.detail["token"]) == ("commander", token.public_id)


def test_it_is_dead_when_expired(token_of: TokenOf, responder: User) -> None:
    token, text = token_of(responder)
    Token.objects.filter(pk=token.pk).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert tokens.recognise(text, address=HERE) is None


def test_it_dies_with_a_deactivated_owner(token_of: TokenOf, responder: User) -> None:
    _, text = token_of(responder)
    User.objects.filter(pk=responder.pk).update(is_active=False)
    assert tokens.recognise(text, address=HERE) is None


def test_it_is_good_only_from_its_networks(token_of: TokenOf, responder: User) -> None:
    _, text = token_of(responder, networks=["192.0.2.0/24", "2001:db8::/32"])
    assert all(tokens.recognise(text, address=one) for one in (HERE, "::ffff:192.0.2.7", "2001:db8::1"))
    assert not any(tokens.recognise(text, address=one) for one in ("198.51.100.1", "2001:db9::1", "unknown", ""))


def test_both_its_scope_and_its_owner_must_allow(token_of: TokenOf, responder: User, viewer: User) -> None:
    environment = environments.default()
    narrow, _ = token_of(responder, scopes=["read"])
    assert tokens.permits(narrow, Verb.VIEW, environment)
    assert tokens.permits(narrow, Verb.RUN_SAFE, environment).sentence == "The token lacks the scope run:safe."
    wide, _ = token_of(viewer)
    assert "Your role may not" in tokens.permits(wide, Verb.RUN_SAFE, environment).sentence
    responders, _ = token_of(responder)
    assert tokens.permits(responders, Verb.RUN_DESTRUCTIVE, environment)


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb not in tokens.NEEDED])
def test_no_token_approves_commands_or_changes_settings(token_of: TokenOf, commander: User, verb: Verb) -> None:
    token, _ = token_of(commander)
    commander.groups.add(Group.objects.get(name="admin"))
    assert not tokens.permits(token, verb, environments.default())


def test_it_weakens_with_its_owner(token_of: TokenOf, responder: User) -> None:
    _, text = token_of(responder)
    responder.groups.clear()
    token = tokens.recognise(text, address=HERE)
    assert token
    assert not tokens.permits(token, Verb.VIEW)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"days": 91}, "lives 1 to 90 days"),
        ({"days": 0}, "lives 1 to 90 days"),
        ({"scopes": ["approve"]}, "approve is not possible"),
        ({"scopes": []}, "No scope is not possible"),
        ({"name": " "}, "needs a name"),
        ({"networks": ["10.0.0.1/8"]}, "written like"),
    ],
)
def test_it_refuses_what_may_not_exist(
    token_of: TokenOf, responder: User, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(tokens.Invalid, match=sentence):
        token_of(responder, **options)
    assert not Token.objects.exists()


def test_the_database_itself_refuses_a_longer_life(token_of: TokenOf, responder: User) -> None:
    token, _ = token_of(responder)
    with pytest.raises(IntegrityError), transaction.atomic():
        Token.objects.filter(pk=token.pk).update(expires_at=token.created_at + timedelta(days=91))


def test_the_commands_make_and_revoke_it(responder: User) -> None:
    shown = StringIO()
    arguments = ["responder", "--name", "pager", "--scope", "read", "--scope", "run:safe", "--days", "7"]
    call_command("token_create", *arguments, stdout=shown, stderr=StringIO())
    text = shown.getvalue().strip()
    token = tokens.recognise(text, address=HERE)
    assert token
    assert (token.owner, token.scopes) == (responder, ["read", "run:safe"])
    call_command("token_revoke", token.public_id, stdout=StringIO())
    assert tokens.recognise(text, address=HERE) is None
    with pytest.raises(CommandError, match="no active account 'nobody'"):
        call_command("token_create", "nobody", "--name", "x", "--scope", "read")
