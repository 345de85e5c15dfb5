"""PagerDuty's V3 webhooks: signed over the raw body by one of two secrets, told again for 48 hours until answered."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from dashboard.hooks.letters import Letter, Refused, Unreadable, document, field, signed_by, text
from novaops import environment as declared
from novaops.env import live_secrets
from novaops.environment import Environment

SOURCE = "pagerduty"


def places() -> dict[str, tuple[Environment, tuple[bytes, ...]]]:
    """The environments that have PagerDuty, with their secrets."""
    return {
        environment.name: (environment, secrets)
        for environment in declared.environments().values()
        if (variable := environment.hooks.pagerduty_env) and (secrets := live_secrets(variable))
    }


def check(headers: Mapping[str, str], body: bytes, now: datetime) -> Letter:  # noqa: ARG001 - as every sender's
    """The letter, where the signature is right. What it says is never a reason to refuse: three refusals in a row
    and PagerDuty is silent for a day (FACTS F2). Raises Refused.
    """
    found = places()
    if not found:
        raise Refused("PagerDuty is not declared", 404)
    signature = headers.get("X-PagerDuty-Signature", "")
    signed = [environment for environment, secrets in found.values() if signed_by(secrets, body, signature)]
    if not signed:
        raise Refused("its signature is wrong")
    ident, service = _about(body)
    spoken_of = [one for one in signed if service and one.contacts.pagerduty_service_id == service]
    return Letter(source=SOURCE, ident=ident, environment=(spoken_of or signed)[0].name)


def _about(body: bytes) -> tuple[str, str]:
    """The event's id, or what stands for one, and the id of the service."""
    digest = f"body:{sha256(body).hexdigest()}"
    try:
        found = document(body)
    except Unreadable:
        return digest, ""
    return text(field(found, "event", "id"), 200) or digest, text(field(found, "event", "data", "service", "id"), 80)
