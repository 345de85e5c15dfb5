"""How a Multi-AZ instance fails over: a reboot with ForceFailover, which RDS may accept and then abandon (FACTS B1)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard import database_restarts
from novaops.cloud import rds
from novaops.runbook.action import (
    AnyStep,
    Change,
    Context,
    Effect,
    Precheck,
    Progress,
    Repeat,
    Seen,
    Verdict,
    Wait,
)

COMPLETED = ("Multi-AZ instance failover completed", "Multi-AZ failover to standby complete")
ABANDONED = "Abandoning user requested failover"
# How long after a failover RDS is likely to abandon another one: a guess on the safe side, it names no number.
RECENT = timedelta(minutes=10)
EVENTS_KEPT = timedelta(days=13)


def look(ctx: Context) -> dict[str, Any]:
    """The instance, where its standby is, and when it failed over last."""
    found = rds.describe_instance(ctx.environment, ctx.target)
    return {
        "status": found.status,
        "multi_az": found.multi_az,
        "cluster": found.cluster,
        "zone": found.zone,
        "standby_zone": found.standby_zone,
        "failed_over_at": _last_failover(ctx),
    }


def _last_failover(ctx: Context) -> str:
    told = rds.events(ctx.environment, ctx.target, "db-instance", datetime.now(UTC) - EVENTS_KEPT)
    done = [one.at for one in told if one.message.startswith(COMPLETED)]
    return done[-1].isoformat() if done else ""


def prechecks(ctx: Context) -> Iterable[Precheck]:
    """There is a standby, and it is no cluster: for that this call would be the wrong one."""
    cluster = ctx.facts["cluster"]
    yield Precheck.require(
        not cluster,
        "It is an instance of its own, as declared.",
        f"It belongs to the cluster {cluster}: declare that in nova.toml, a cluster fails over by another call.",
    )
    yield Precheck.require(
        ctx.facts["multi_az"] or bool(cluster),
        f"A standby waits in {ctx.facts['standby_zone'] or 'another zone'}.",
        "It is Single-AZ: there is no standby to fail over to.",
    )
    yield database_restarts.is_available(ctx)
    yield _not_recently(ctx.facts["failed_over_at"])


def _not_recently(failed_over_at: str) -> Precheck:
    if not failed_over_at:
        return Precheck(state="passed", sentence="RDS tells of no failover in the last two weeks.")
    at = datetime.fromisoformat(failed_over_at)
    if datetime.now(UTC) - at > RECENT:
        return Precheck(state="passed", sentence=f"The last failover was at {at:%Y-%m-%d %H:%M} UTC.")
    sentence = f"It failed over at {at:%H:%M} UTC: RDS may accept another failover so soon and then abandon it."
    return Precheck(state="warning", sentence=sentence)


def changes(ctx: Context) -> Iterable[Change]:
    """The two zones change places."""
    zone, standby = ctx.facts["zone"], ctx.facts["standby_zone"] or "the standby's"
    yield Change(what="Availability Zone of the primary", before=zone, after=standby)
    yield Change(what="Connections", before="those that are open", after="all new, to the same endpoint")


def steps(ctx: Context) -> Iterable[AnyStep]:
    """Reboot with ForceFailover once, wait for the other zone or RDS's word for it, verify by SQL."""
    yield Effect(
        key="fail-over",
        title=f"Fail {ctx.target} over to its standby",
        call=rds.REBOOT,
        params={"DBInstanceIdentifier": ctx.target, "ForceFailover": True},
        repeat=Repeat.ONCE,
        before=_fingerprint,
        observe=_seen,
        result=database_restarts.accepted,
    )
    yield Wait(key="promoted", title="The standby takes over", look=_promoted, timeout_s=1800)
    yield database_restarts.sql_works("fail-over")


def _fingerprint(ctx: Context) -> dict[str, Any]:
    zone = rds.describe_instance(ctx.environment, ctx.target).zone
    return {"zone": zone, **database_restarts.fingerprint(ctx.environment, ctx.target)}


def _seen(ctx: Context, before: dict[str, Any]) -> Seen | None:
    found = rds.describe_instance(ctx.environment, ctx.target)
    told = [one for one in _events(ctx, before) if one.startswith((*COMPLETED, ABANDONED)) or "failover started" in one]
    if found.status != "rebooting" and found.zone == before["zone"] and not told:
        return None
    sentence = f"RDS says: {told[-1]}" if told else f"RDS says {found.status}, in {found.zone}"
    return Seen(sentence=sentence, result=database_restarts.accepted({}))


def _events(ctx: Context, before: Mapping[str, Any]) -> list[str]:
    return database_restarts.events_since(ctx.environment, ctx.target, before)


def _promoted(ctx: Context) -> Progress:
    before = ctx.results["fail-over"]["before"]
    told = _events(ctx, before)
    found = rds.describe_instance(ctx.environment, ctx.target)
    abandoned = next((message for message in told if message.startswith(ABANDONED)), "")
    swapped = found.zone != before["zone"]
    if abandoned and not swapped:
        return Progress(verdict=Verdict.FAILED, sentence=f"RDS accepted it and then did not do it: {abandoned}")
    if found.status == database_restarts.AVAILABLE and swapped:
        sentence = f"The primary moved from {before['zone']} to {found.zone}."
        return Progress(verdict=Verdict.DONE, sentence=sentence)
    if found.status == database_restarts.AVAILABLE and any(message.startswith(COMPLETED) for message in told):
        sentence = f"RDS says that the failover is complete; it still names {found.zone}: AZ not yet refreshed."
        return Progress(verdict=Verdict.DONE, sentence=sentence)
    sentence = f"RDS says {found.status}" + (f": {told[-1]}" if told else "")
    return database_restarts.broken(found.status) or Progress(verdict=Verdict.NOT_YET, sentence=sentence)
