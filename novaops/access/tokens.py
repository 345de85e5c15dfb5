"""Bearer tokens: made and shown once, recognised by their hash, never stronger than their owner."""

import hashlib
import ipaddress
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from novaops.access.models import TOKEN_DAYS, Scope, Token
from novaops.access.policy import Verb, Verdict, can
from novaops.audit import chain
from novaops.environment import Environment

SHAPE = re.compile(r"nova_([a-z0-9]{8})_([A-Za-z0-9_-]{43})")
ID_LETTERS = string.ascii_lowercase + string.digits
# One write a minute is precise enough to see that a token is in use.
STAMP_EVERY = timedelta(minutes=1)
NEEDED: dict[Verb, Scope] = {
    Verb.VIEW: Scope.READ,
    Verb.RUN_SAFE: Scope.RUN_SAFE,
    Verb.RUN_DISRUPTIVE: Scope.RUN_DISRUPTIVE,
    Verb.RUN_DESTRUCTIVE: Scope.REQUEST_DESTRUCTIVE,
    Verb.JOIN: Scope.INCIDENTS,
    Verb.COMMAND: Scope.COMMAND,
}


class Invalid(ValueError):
    """A token was asked for that may not exist; the message says what is allowed."""


def create(
    owner: User, *, name: str, scopes: Iterable[str], days: int, networks: Iterable[str] = (), by: User | None
) -> tuple[Token, str]:
    """A new token and its text, which is never shown again; `by` is None for the system itself. Raises Invalid."""
    public_id, secret = "".join(secrets.choice(ID_LETTERS) for _ in range(8)), secrets.token_urlsafe(32)
    with transaction.atomic():
        token = Token.objects.create(
            public_id=public_id,
            digest=_digest(secret),
            name=_name(name),
            owner=owner,
            scopes=_scopes(scopes),
            networks=_networks(networks),
            **_lifetime(days),
        )
        detail = {"scopes": token.scopes, "networks": token.networks, "expires_at": token.expires_at.isoformat()}
        _record("token.created", token, by, "cli", detail)
    return token, f"nova_{public_id}_{secret}"


def revoke(token: Token, *, by: User | None) -> None:
    """Let the token be refused from now on; a revoked one stays as it is."""
    with transaction.atomic():
        if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=datetime.now(UTC)):
            _record("token.revoked", token, by, "cli", {})


def recognise(text: str, *, address: str) -> Token | None:
    """The token of that text while it is good for a request from `address`; None in every other case."""
    shape = SHAPE.fullmatch(text)
    if shape is None:
        return None
    token = Token.objects.select_related("owner").filter(public_id=shape[1]).first()
    # A hash is compared in any case: the time of an answer does not tell whether the id exists.
    if not secrets.compare_digest(token.digest if token else "", _digest(shape[2])) or token is None:
        return None
    if not _usable(token, address):
        return None
    _stamp(token)
    return token


def permits(token: Token, verb: Verb, environment: Environment | None = None) -> Verdict:
    """Whether the token may use `verb`: its scope and its owner's grants must both allow it."""
    scope = NEEDED.get(verb)
    if scope is None:
        return Verdict(allowed=False, sentence="No token may do this: a person does it on the page.")
    if scope not in token.scopes:
        return Verdict(allowed=False, sentence=f"The token lacks the scope {scope.value}.")
    return can(token.owner, verb, environment)


def _usable(token: Token, address: str) -> bool:
    alive = token.revoked_at is None and token.expires_at > datetime.now(UTC) and token.owner.is_active
    return alive and (not token.networks or any(_inside(address, network) for network in token.networks))


def _inside(address: str, network: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found) in ipaddress.ip_network(network)


def _stamp(token: Token) -> None:
    now = datetime.now(UTC)
    if token.last_used_at and now - token.last_used_at < STAMP_EVERY:
        return
    with transaction.atomic():
        first = Token.objects.filter(pk=token.pk, last_used_at=None).update(last_used_at=now)
        if first:
            _record("token.first-used", token, token.owner, "api", {})
        else:
            Token.objects.filter(pk=token.pk).update(last_used_at=now)
    token.last_used_at = now


def _record(verb: str, token: Token, by: User | None, via: str, detail: Mapping[str, object]) -> None:
    subject = f"token {token} of {token.owner.get_username()}"
    chain.record(verb, by=by, subject=subject, via=via, detail={"token": token.public_id, **detail})


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _name(name: str) -> str:
    if not 1 <= len(name.strip()) <= 80:
        raise Invalid("A token needs a name of 1 to 80 characters, so that people know what it is for.")
    return name.strip()


def _scopes(scopes: Iterable[str]) -> list[str]:
    asked = sorted(set(scopes))
    unknown = [scope for scope in asked if scope not in Scope.values]
    if unknown or not asked:
        raise Invalid(f"{', '.join(unknown) or 'No scope'} is not possible: use {', '.join(Scope.values)}.")
    return asked


def _networks(networks: Iterable[str]) -> list[str]:
    try:
        return [str(ipaddress.ip_network(network)) for network in networks]
    except ValueError as failure:
        raise Invalid(f"{failure}: a network is written like 10.0.0.0/8.") from failure


def _lifetime(days: int) -> dict[str, datetime]:
    if not 1 <= days <= TOKEN_DAYS:
        raise Invalid(f"A token lives 1 to {TOKEN_DAYS} days, not {days}.")
    now = datetime.now(UTC)
    return {"created_at": now, "expires_at": now + timedelta(days=days)}
