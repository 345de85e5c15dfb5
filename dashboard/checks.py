"""Checks at the start of NovaOps: what nova.toml changes must exist, and secrets must be good."""

from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from dashboard.services.base import services
from novaops import environment as declared
from novaops.env import live_secrets


def rules_exist(**_: Any) -> list[CheckMessage]:
    """A rule that nova.toml changes under a wrong name would keep its default in silence."""
    known = sorted(key for service in services.values() for key in service.every_rule())
    return [
        Error(
            f"nova.toml names the rule {key!r} of {name}, which does not exist.",
            hint=f"The rules are {', '.join(known)}.",
            id="dashboard.E001",
        )
        for name, environment in declared.environments().items()
        for key in (*environment.rules, *environment.alarms.values())
        if key not in known
    ]


def secrets_are_long(**_: Any) -> list[CheckMessage]:
    """A secret of webhooks that is too short would refuse everybody only when the first one comes."""
    found: list[CheckMessage] = []
    for environment in declared.environments().values():
        for variable in filter(None, (environment.hooks.pagerduty_env, *environment.hooks.senders.values())):
            try:
                live_secrets(variable)
            except ImproperlyConfigured as failure:
                found.append(Error(str(failure), id="dashboard.E002"))
    return found
