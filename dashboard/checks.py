"""Checks at the start of NovaOps: what nova.toml changes must exist."""

from typing import Any

from django.core.checks import CheckMessage, Error

from dashboard.services.base import services
from novaops import environment as declared


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
