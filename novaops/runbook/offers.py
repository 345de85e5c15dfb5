"""An action offered to a user in an environment: a link, or the reason why not, never hidden."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser, User
from django.urls import reverse

from novaops.access.policy import can
from novaops.environment import Environment
from novaops.runbook import meters
from novaops.runbook.registry import actions


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a button needs: `disabled_reason` is empty where the user may go on."""

    action_key: str
    title: str
    target: str
    risk: str
    sentence: str
    url: str
    disabled_reason: str = ""
    meter: str = ""
    # Where a plan can be asked for at once: empty for an action whose parameters must be filled in first.
    plan_url: str = ""


def offer(
    user: User | AnonymousUser,
    key: str,
    environment: Environment,
    incident: int | None = None,
    target: str = "",
    spent: meters.Used | None = None,
) -> Offer | None:
    """The offer of the action `key`, on its first target or that one; None where it has nothing to act upon.

    `spent` are the meters, where the caller has read them already for several offers.
    """
    action = actions[key]()
    target = target or next(iter(action.targets(environment)), "") if action.applies(environment) else ""
    if not target:
        return None
    query = {"environment": environment.name, "target": target, **({"incident": incident} if incident else {})}
    return Offer(
        action_key=key,
        title=action.title,
        target=target,
        risk=action.risk.value,
        sentence=action.affects,
        url=f"{reverse('runbook:new', args=[key])}?{urlencode(query)}",
        disabled_reason=can(user, action.risk.verb, environment).sentence,
        meter=meters.meter(actions[key], meters.used(environment) if spent is None else spent),
        plan_url="" if action.form.base_fields else reverse("runbook:plan", args=[key]),
    )


def of_service(
    user: User | AnonymousUser, service: str, environment: Environment, incident: int | None = None
) -> list[Offer]:
    """Every action on a kind of service, in the order of the catalogue."""
    keys = sorted(key for key, action in actions.items() if action.service == service)
    spent = meters.used(environment)
    return [found for key in keys if (found := offer(user, key, environment, incident, spent=spent))]
