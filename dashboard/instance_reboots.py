"""How one instance reboots without failover: seen by its status and by what RDS says of it."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from dashboard import database_restarts
from novaops.cloud import rds
from novaops.runbook.action import AnyStep, Context, Effect, Progress, Repeat, Seen, Verdict, Wait


def steps(instance: str) -> Iterable[AnyStep]:
    """Reboot the instance once, wait until RDS has it back; what that proves is verified by the caller."""
    yield Effect(
        key="reboot",
        title=f"Reboot {instance}",
        call=rds.REBOOT,
        params={"DBInstanceIdentifier": instance},
        repeat=Repeat.ONCE,
        before=lambda now: database_restarts.fingerprint(now.environment, instance),
        observe=partial(_seen, instance),
        result=database_restarts.accepted,
    )
    yield Wait(key="available", title="RDS has restarted it", look=partial(_restarted, instance), timeout_s=1800)


def _seen(instance: str, ctx: Context, before: dict[str, Any]) -> Seen | None:
    if rds.describe_instance(ctx.environment, instance).status == "rebooting":
        return Seen(sentence="It is rebooting", result=database_restarts.accepted({}))
    told = database_restarts.events_since(ctx.environment, instance, before)
    if any(database_restarts.RESTARTED in message for message in told):
        return Seen(sentence=f"RDS says: {told[-1]}", result=database_restarts.accepted({}))
    return None


def _restarted(instance: str, ctx: Context) -> Progress:
    result = ctx.results["reboot"]
    status = rds.describe_instance(ctx.environment, instance).status
    told = database_restarts.events_since(ctx.environment, instance, result["before"])
    sentence = f"RDS says {status}" + (f": {told[-1]}" if told else "")
    over = any(database_restarts.RESTARTED in message for message in told) or database_restarts.settled(result)
    if status == database_restarts.AVAILABLE and over:
        return Progress(verdict=Verdict.DONE, sentence=sentence)
    return database_restarts.broken(status) or Progress(verdict=Verdict.NOT_YET, sentence=sentence)
