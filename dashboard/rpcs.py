"""The Stellar RPCs that are declared for the event processor, and which of them its task definition names."""

from collections.abc import Mapping
from typing import Any

from dashboard.task_definitions import origin, secret_names, variables
from novaops.environment import Environment

VARIABLE = "RPC_URL"
# The keys of nova.toml's events table.
DECLARED = {"primary": "rpc_url", "backup": "rpc_backup_url"}
A_SECRET = "a secret"  # noqa: S105 - the word for it
ANOTHER = "another"


def address(environment: Environment, which: str) -> str | None:
    """The declared address of the primary or the backup; None where it is not declared."""
    declared = getattr(environment.events, DECLARED[which]) if which in DECLARED else None
    return str(declared) if declared else None


def read_by(environment: Environment, container: Mapping[str, Any]) -> str:
    """Which RPC the container reads: primary, backup, another that is not declared, or one named by a secret."""
    if VARIABLE in secret_names(container):
        return A_SECRET
    url = variables(container).get(VARIABLE, "").rstrip("/")
    for which in DECLARED:
        declared = address(environment, which)
        if declared and declared.rstrip("/") == url:
            return which
    return ANOTHER


def named(environment: Environment, which: str) -> str:
    """The RPC in words, with its host but not its path, which may carry a key."""
    url = address(environment, which)
    return f"{which} ({origin(url)})" if url else which
