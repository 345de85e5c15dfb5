"""How a DB cluster fails over: FailoverDBCluster makes a chosen reader the writer (FACTS B1)."""

from collections.abc import Iterable
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

CLUSTER = "db-cluster"
# RDS-EVENT-0069 and 0070.
FAILED = ("failover failed", "promoting previous primary again")


def look(ctx: Context) -> dict[str, Any]:
    """The cluster, its members, and the reader that would become the writer."""
    found = rds.describe_cluster(ctx.environment, ctx.target)
    members = {name: rds.describe_instance(ctx.environment, name) for name in (found.writer, *found.readers) if name}
    available = [name for name in found.readers if members[name].status == database_restarts.AVAILABLE]
    reader = ctx.params.get("reader") or next(iter(available), "")
    return {
        "status": found.status,
        "writer": found.writer,
        "readers": list(found.readers),
        "reader": reader,
        "reader_status": members[reader].status if reader in members else "",
        "outside": sorted(name for name, member in members.items() if member.cluster != found.id),
    }


def prechecks(ctx: Context) -> Iterable[Precheck]:
    """The chosen reader can take over, and the members say that they belong to this cluster."""
    facts = ctx.facts
    yield Precheck.require(
        not facts["outside"],
        "Its members belong to it.",
        f"{', '.join(facts['outside'])} does not say that it belongs to {ctx.target}: look at RDS.",
    )
    yield database_restarts.is_available(ctx)
    if not facts["readers"]:
        yield Precheck(state="failed", sentence="The cluster has no reader to fail over to.")
        return
    reader, known = facts["reader"], ", ".join(facts["readers"])
    yield Precheck.require(
        reader in facts["readers"], f"{reader} is a reader.", f"{reader or 'None'} is not an available reader: {known}."
    )
    yield Precheck.require(
        facts["reader_status"] == database_restarts.AVAILABLE,
        f"{reader} is available.",
        f"{reader} is {facts['reader_status'] or 'unknown'}: it cannot take over.",
    )


def changes(ctx: Context) -> Iterable[Change]:
    """The writer."""
    yield Change(what="Writer", before=ctx.facts["writer"], after=ctx.facts["reader"])
    yield Change(what="Connections", before="those that are open", after="all new, to the same endpoint")


def steps(ctx: Context) -> Iterable[AnyStep]:
    """Fail over once to that reader, wait until it is the writer, verify by SQL."""
    yield Effect(
        key="fail-over",
        title=f"Make {ctx.facts['reader']} the writer of {ctx.target}",
        call=rds.FAIL_OVER_CLUSTER,
        params={"DBClusterIdentifier": ctx.target, "TargetDBInstanceIdentifier": ctx.facts["reader"]},
        repeat=Repeat.ONCE,
        before=_fingerprint,
        observe=_seen,
    )
    yield Wait(key="promoted", title="The reader becomes the writer", look=_promoted, timeout_s=1800)
    yield database_restarts.sql_works("fail-over", moved=True)


def _fingerprint(ctx: Context) -> dict[str, Any]:
    writer = rds.describe_cluster(ctx.environment, ctx.target).writer
    return {"writer": writer, **database_restarts.fingerprint(ctx.environment, ctx.target, CLUSTER)}


def _seen(ctx: Context, before: dict[str, Any]) -> Seen | None:
    found = rds.describe_cluster(ctx.environment, ctx.target)
    told = database_restarts.events_since(ctx.environment, ctx.target, before, CLUSTER)
    if found.status == "failing-over" or found.writer != before["writer"]:
        return Seen(sentence=f"RDS says {found.status}; the writer is {found.writer}")
    return Seen(sentence=f"RDS says: {told[-1]}") if any("failover" in message for message in told) else None


def _promoted(ctx: Context) -> Progress:
    before, wanted = ctx.results["fail-over"]["before"], ctx.facts["reader"]
    told = database_restarts.events_since(ctx.environment, ctx.target, before, CLUSTER)
    found = rds.describe_cluster(ctx.environment, ctx.target)
    failed = next((message for message in told if any(words in message for words in FAILED)), "")
    if failed and found.writer == before["writer"]:
        return Progress(verdict=Verdict.FAILED, sentence=f"RDS did not fail over: {failed}")
    if found.writer not in (before["writer"], wanted):
        return Progress(verdict=Verdict.FAILED, sentence=f"{found.writer} became the writer instead of {wanted}.")
    if found.writer == wanted and found.status == database_restarts.AVAILABLE:
        return Progress(verdict=Verdict.DONE, sentence=f"The writer moved from {before['writer']} to {wanted}.")
    sentence = f"RDS says {found.status}" + (f": {told[-1]}" if told else "")
    return Progress(verdict=Verdict.NOT_YET, sentence=sentence)
