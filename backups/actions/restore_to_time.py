"""Restore the database as it was at a moment into a new instance that is set up as production is."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from backups.contents import told
from backups.restore_forms import MomentForm, with_settings
from backups.restoring import IAM, Restore, name_of
from novaops.cloud import rds_restores
from novaops.runbook.action import MOVING, Context, Precheck
from novaops.runbook.registry import register


@register
class RestoreToTime(Restore):
    """Make a new instance with the data of a moment, set up as production is, and prove it by asking its database.

    Production is not touched: RDS always restores into a new instance. Pointing Nova at it is a decision of its own.
    """

    key = "restore-to-time"
    title = "Restore a point in time into a new instance"
    iam_permissions = (*IAM, "rds:RestoreDBInstanceToPointInTime", "rds:DescribeDBInstanceAutomatedBackups")
    form = with_settings(MomentForm)

    def source(self, ctx: Context) -> tuple[dict[str, Any], dict[str, Any]]:
        """The moment, and between which moments it must be now."""
        at = ctx.params.get("at") or ""
        found = rds_restores.window(ctx.environment, ctx.environment.database.target)
        reach = [found.earliest_at.isoformat(), found.latest_at.isoformat()] if found else None
        name = told(datetime.fromisoformat(at)) if at else "the latest restorable moment"
        return {"at": at or None, "name": f"{ctx.environment.database.target} at {name}"}, {"reach": reach}

    def of_source(self, ctx: Context) -> Iterable[Precheck]:
        """RDS keeps automated backups, and the moment is within what they reach."""
        reach, at = ctx.facts[MOVING]["reach"], ctx.facts["source"]["at"]
        if reach is None:
            sentence = "RDS keeps no automated backup of it: restore a snapshot, and set a retention."
            yield Precheck(state="failed", sentence=sentence)
            return
        earliest, latest = (datetime.fromisoformat(moment) for moment in reach)
        between = f"between {told(earliest)} and {told(latest)}"
        yield Precheck.require(
            at is None or earliest <= datetime.fromisoformat(at) <= latest,
            f"It can be restored to any moment {between}.",
            f"{told(datetime.fromisoformat(at)) if at else ''} cannot be restored: choose a moment {between}.",
        )

    def call(self, ctx: Context) -> tuple[Any, dict[str, Any]]:
        """RestoreDBInstanceToPointInTime."""
        at = ctx.facts["source"]["at"]
        return rds_restores.TO_TIME, {
            "SourceDBInstanceIdentifier": ctx.environment.database.target,
            "TargetDBInstanceIdentifier": name_of(ctx),
            **({"RestoreTime": at} if at else {"UseLatestRestorableTime": True}),
        }
