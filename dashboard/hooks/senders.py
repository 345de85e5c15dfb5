"""Programs of your own: `X-Nova-Signature: v1=hex(hmac_sha256(secret, timestamp "." delivery "." body))`."""

import re
from collections.abc import Mapping
from datetime import datetime

from dashboard.hooks.letters import Letter, Refused, Unreadable, document, signed_by
from novaops import environment as declared
from novaops.env import live_secrets
from novaops.environment import Environment

# How far a sender's clock may be off, and so how old a captured message may be (SECURITY, section 6).
WINDOW_S = 300
IDENT = re.compile(r"[\w.:-]{8,100}", re.ASCII)


def place(name: str) -> tuple[Environment, tuple[bytes, ...]] | None:
    """The environment that the sender speaks of, and its secrets; None for who is not declared or has no secret."""
    for environment in declared.environments().values():
        variable = environment.hooks.senders.get(name)
        if variable and (secrets := live_secrets(variable)):
            return environment, secrets
    return None


def check(name: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Letter:
    """The letter, where the signature and the time are right. Raises Refused."""
    found = place(name)
    if found is None:
        raise Refused("nobody of that name is declared", 404)
    environment, secrets = found
    at, ident = headers.get("X-Nova-Timestamp", ""), headers.get("X-Nova-Delivery", "")
    if not IDENT.fullmatch(ident) or not re.fullmatch(r"\d{1,12}", at, re.ASCII):
        raise Refused("its timestamp or delivery is missing or malformed")
    if not signed_by(secrets, b".".join((at.encode(), ident.encode(), body)), headers.get("X-Nova-Signature", "")):
        raise Refused("its signature is wrong")
    if abs(now.timestamp() - int(at)) > WINDOW_S:
        raise Refused(f"its timestamp is more than {WINDOW_S} s off")
    try:
        document(body)
    except Unreadable as failure:
        raise Refused(str(failure), 400) from failure
    return Letter(source=name, ident=ident, environment=environment.name)
