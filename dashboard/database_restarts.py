"""What the actions that restart Nova's database share: seeing that it began, that it is over, and that SQL works."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from novaops.cloud import nova_db, rds
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment
from novaops.runbook.action import Context, Precheck, Progress, Verdict, Verify

AVAILABLE = "available"
# An instance in one of these does not become available by waiting (FACTS B2).
BROKEN = frozenset(
    {
        "failed",
        "inaccessible-encryption-credentials",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "restore-error",
        "storage-full",
    }
)
RESTARTED = "restarted"
# For so long a read may still tell the status of before, where nothing else shows that the restart is over.
STALE_READ_S = 90.0
LOOK_BACK = timedelta(hours=1)
SQL_TIMEOUT_S = 600.0


def fingerprint(environment: Environment, source_id: str, source_type: str = "db-instance") -> dict[str, Any]:
    """What to compare with afterwards: the newest event (AWS's clock) and since when PostgreSQL runs (its clock)."""
    since = datetime.now(UTC) - LOOK_BACK
    told = rds.events(environment, source_id, source_type, since)
    return {"newest_event_at": (told[-1].at if told else since).isoformat(), "sql": _sql(environment)}


def _sql(environment: Environment) -> dict[str, str] | None:
    try:
        server = nova_db.server(environment.database.dsn)
    except OutsideError:
        return None
    return {"now": server.now.isoformat(), "started_at": server.started_at.isoformat()}


def events_since(
    environment: Environment, source_id: str, before: Mapping[str, Any], source_type: str = "db-instance"
) -> list[str]:
    """The messages of events that are newer than the fingerprint, oldest first."""
    newest_at = datetime.fromisoformat(before["newest_event_at"])
    return [one.message for one in rds.events(environment, source_id, source_type, newest_at) if one.at > newest_at]


def accepted(_answer: dict[str, Any]) -> dict[str, Any]:
    """What later steps need of an answer: when AWS accepted."""
    return {"accepted_at": datetime.now(UTC).isoformat()}


def settled(result: Mapping[str, Any]) -> bool:
    """Whether reads have caught up with the accepted call."""
    accepted_at = datetime.fromisoformat(result["accepted_at"])
    return (datetime.now(UTC) - accepted_at).total_seconds() > STALE_READ_S


def broken(status: str) -> Progress | None:
    """A failure where the status is one that does not pass by itself."""
    if status not in BROKEN:
        return None
    return Progress(verdict=Verdict.FAILED, sentence=f"RDS says {status}: that needs someone in the RDS console.")


def is_available(ctx: Context) -> Precheck:
    """The guard of every restart: AWS takes it only in this status."""
    status = ctx.facts["status"]
    return Precheck.require(
        status == AVAILABLE, "RDS says that it is available.", f"RDS says {status}: wait until it is available."
    )


def sql_works(step: str, *, moved: bool = False) -> Verify:
    """Verify on a fresh connection that PostgreSQL takes writes again, and began to after the effect of `step`.

    `moved`: another server took over, which may have run for long.
    """
    return Verify(
        key="sql",
        title="Nova's database answers SQL again",
        look=lambda ctx: _sql_works(ctx, None if moved else ctx.results[step]["before"]["sql"]),
        timeout_s=SQL_TIMEOUT_S,
    )


def _sql_works(ctx: Context, before: dict[str, str] | None) -> Progress:
    database = ctx.environment.database
    if not database.dsn:
        sentence = f"RDS says available. SQL was not tried: {database.dsn_env} is not set."
        return Progress(verdict=Verdict.DONE, sentence=sentence)
    try:
        server = nova_db.server(database.dsn)
    except OutsideError as failure:
        return Progress(verdict=Verdict.NOT_YET, sentence=str(failure))
    if server.read_only:
        return Progress(verdict=Verdict.NOT_YET, sentence="PostgreSQL answers, but takes no writes yet")
    if before is None:
        return Progress(verdict=Verdict.DONE, sentence="A fresh connection works and takes writes.")
    if server.started_at > datetime.fromisoformat(before["started_at"]):
        sentence = f"A fresh connection works: PostgreSQL runs since {server.started_at:%H:%M:%S} UTC."
        return Progress(verdict=Verdict.DONE, sentence=sentence)
    oldest = server.oldest_session_at
    if oldest is None or oldest > datetime.fromisoformat(before["now"]):
        sentence = "A fresh connection works, and no connection from before is left."
        return Progress(verdict=Verdict.DONE, sentence=sentence)
    return Progress(verdict=Verdict.NOT_YET, sentence="PostgreSQL still serves connections from before")
