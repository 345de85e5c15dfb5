"""The Stellar RPCs of the event processor: the one that it reads, and the other, which it could be switched to."""

from datetime import UTC, datetime

from dashboard import rpcs
from dashboard.services.base import Asking, Observation
from dashboard.services.containers import described
from novaops.cloud import stellar_rpc, task_definitions
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment

PRIMARY, BACKUP = "primary", "backup"


def health(environment: Environment, which: str) -> stellar_rpc.Health:
    """What an RPC says of itself. Raises OutsideError where it is not well or not declared."""
    url = rpcs.address(environment, which)
    if url is None:
        raise OutsideError(f"nova.toml declares no {which} RPC")
    return stellar_rpc.health(url)


def read_rpc(asking: Asking) -> Observation:
    """The health of the RPC that the processor reads. That it is ill is a value, for its rule."""
    try:
        told = asking.once(health, _read(asking))
    except OutsideError as failure:
        return Observation(values={"rpc_healthy": 0}, failed=str(failure))
    closed_at = told.latest_closed_at
    age = {"rpc_age": (datetime.now(UTC) - closed_at).total_seconds()} if closed_at else {}
    return Observation(
        values={
            "rpc_healthy": 1,
            "rpc_ledger": told.latest_ledger,
            "rpc_oldest": told.oldest_ledger,
            "rpc_retained": told.latest_ledger - told.oldest_ledger + 1,
            "rpc_took": told.took_s,
            "ledger_time": told.ledger_s,
            **age,
        }
    )


def read_other(asking: Asking) -> Observation:
    """The health of the other RPC; its ledger also shows when the first is stuck."""
    other = PRIMARY if _read(asking) == BACKUP else BACKUP
    try:
        told = asking.once(health, other)
    except OutsideError as failure:
        return Observation(values={"backup_healthy": 0}, failed=f"The {other}: {failure}")
    return Observation(
        values={
            "backup_healthy": 1,
            "backup_ledger": told.latest_ledger,
            "backup_retained": told.latest_ledger - told.oldest_ledger + 1,
            "backup_took": told.took_s,
        }
    )


def oldest_retained(asking: Asking) -> int:
    """The oldest ledger that one of the RPCs still has. Raises OutsideError where none tells."""
    try:
        return asking.once(health, PRIMARY).oldest_ledger
    except OutsideError:
        return asking.once(health, BACKUP).oldest_ledger


def _read(asking: Asking) -> str:
    """Which RPC the processor reads. While the primary is well that makes no difference, so nobody is asked."""
    if rpcs.address(asking.environment, BACKUP) is None:
        return PRIMARY
    try:
        asking.once(health, PRIMARY)
    except OutsideError:
        return asking.once(_read_by_task, described(asking, asking.environment.events).task_definition)
    return PRIMARY


def _read_by_task(environment: Environment, name: str) -> str:
    found = task_definitions.describe(environment, name).container(environment.events.container)
    return rpcs.read_by(environment, found)
