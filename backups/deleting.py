"""Deleting a restored instance: by a person who no longer needs it, and by a drill at its end."""

from typing import Any

from backups.restoring import nothing
from novaops.cloud import rds_restores, rds_snapshots
from novaops.runbook.action import Context, Effect, Progress, Repeat, Seen, Verdict, Wait, sendable

TIMEOUT_S = 3600.0
DELETING = "deleting"


def delete(name: Any, last_snapshot: str = "") -> Effect:
    """The deletion of a restored instance; `name` may be known only to the run."""
    kept = {"FinalDBSnapshotIdentifier": last_snapshot} if last_snapshot else {"SkipFinalSnapshot": True}
    return Effect(
        key="delete",
        title="Delete the restored instance",
        call=rds_restores.DELETE,
        params={"DBInstanceIdentifier": name, **kept, "DeleteAutomatedBackups": True},
        repeat=Repeat.NAMED,
        before=nothing,
        observe=lambda ctx, _before: _deleted(ctx, name),
    )


def gone(name: Any) -> Wait:
    """RDS does not know it any more."""
    return Wait(key="gone", title="It is gone", look=lambda ctx: _gone(ctx, name), timeout_s=TIMEOUT_S)


def described(ctx: Context, name: Any) -> dict[str, Any] | None:
    """The instance as RDS tells it; None where it is gone."""
    return rds_snapshots.settings(ctx.environment, str(sendable(name, ctx)))


def _deleted(ctx: Context, name: Any) -> Seen | None:
    found = described(ctx, name)
    if found is None:
        return Seen(sentence="RDS does not know it any more")
    return Seen(sentence="RDS is deleting it") if found["DBInstanceStatus"] == DELETING else None


def _gone(ctx: Context, name: Any) -> Progress:
    found = described(ctx, name)
    if found is None:
        return Progress(verdict=Verdict.DONE, sentence="It is gone, and costs nothing any more.")
    return Progress(verdict=Verdict.NOT_YET, sentence=f"It is {found['DBInstanceStatus']}")
