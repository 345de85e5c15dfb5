"""Restore a snapshot into a new instance that is set up as production is."""

from collections.abc import Iterable
from typing import Any

from backups import from_snapshot
from backups.from_snapshot import FromSnapshot
from backups.names import run_tag
from backups.restore_forms import SourceForm, with_settings
from backups.restoring import IAM, TIMEOUT_S, name_of, nothing
from novaops.cloud import rds_backups, rds_snapshots
from novaops.cloud.rds_snapshots import Snapshot
from novaops.runbook.action import (
    AnyStep,
    Change,
    Context,
    Effect,
    FromRun,
    Progress,
    Repeat,
    Seen,
    Verdict,
    Wait,
    sendable,
)
from novaops.runbook.registry import register


@register
class RestoreSnapshot(FromSnapshot):
    """Make a new instance from a snapshot, set up as production is, and prove it by asking its database.

    Production is not touched: RDS always restores into a new instance. Pointing Nova at it is a decision of its own.
    """

    key = "restore-snapshot"
    title = "Restore a snapshot into a new instance"
    iam_permissions = (*IAM, *from_snapshot.IAM, "rds:CopyDBSnapshot", "rds:DeleteDBSnapshot")
    form = with_settings(SourceForm)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """As every restore's, and the key."""
        yield from super().changes(ctx)
        if ctx.params.get("kms_key"):
            before = ctx.facts["source"].get("kms_key") or "not encrypted"
            yield Change(what="Encryption key", before=before, after=ctx.params["kms_key"])

    def call(self, ctx: Context) -> tuple[Any, dict[str, Any]]:
        """From the snapshot, or from its copy under another key: a restore itself keeps the key."""
        operation, params = super().call(ctx)
        return operation, {**params, **({"DBSnapshotIdentifier": _copy(ctx)} if ctx.params.get("kms_key") else {})}

    def before(self, ctx: Context) -> Iterable[AnyStep]:
        """The copy, where another key is asked for."""
        if not ctx.params.get("kms_key"):
            return
        yield Effect(
            key="rekey",
            title="Copy the snapshot under the other key",
            call=rds_backups.COPY,
            params={
                "SourceDBSnapshotIdentifier": ctx.facts["source"]["snapshot"],
                "TargetDBSnapshotIdentifier": _copy(ctx),
                "KmsKeyId": ctx.params["kms_key"],
                "Tags": [run_tag()],
            },
            repeat=Repeat.NAMED,
            before=nothing,
            observe=lambda now, _before: Seen(sentence="RDS has the copy") if _copied(now) else None,
        )
        yield Wait(key="rekeyed", title="RDS has the copy", look=_rekeyed, timeout_s=TIMEOUT_S)

    def after(self, ctx: Context) -> Iterable[AnyStep]:
        """The copy was only needed for the restore."""
        if ctx.params.get("kms_key"):
            yield Effect(
                key="tidy",
                title="Delete the copy of the snapshot",
                call=rds_backups.DELETE,
                params={"DBSnapshotIdentifier": _copy(ctx)},
                repeat=Repeat.NAMED,
                before=nothing,
                observe=lambda now, _before: None if _copied(now) else Seen(sentence="The copy is gone"),
            )


def _copy(ctx: Context) -> FromRun:
    """The name of the copy, which only this run makes."""
    return FromRun(f"{name_of(ctx).text}-key")


def _copied(ctx: Context) -> Snapshot | None:
    return rds_snapshots.describe(ctx.environment, str(sendable(_copy(ctx), ctx)))


def _rekeyed(ctx: Context) -> Progress:
    found = _copied(ctx)
    if found is None:
        return Progress(verdict=Verdict.NOT_YET, sentence="RDS does not show it yet")
    if found.status == "failed":
        return Progress(verdict=Verdict.FAILED, sentence=f"RDS says that {found.id} failed: may it use the key?")
    done = found.status == "available"
    sentence = f"{found.id} is {found.status}"
    return Progress(verdict=Verdict.DONE if done else Verdict.NOT_YET, sentence=sentence, percent=found.percent)
