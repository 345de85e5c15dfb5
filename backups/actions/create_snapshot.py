"""Take a manual snapshot of the database before a deployment."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from backups import making, origin
from backups.names import PRE_DEPLOY, named
from novaops.cloud import rds_backups, rds_snapshots
from novaops.environment import Environment
from novaops.runbook.action import (
    MOVING,
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    FromRun,
    Precheck,
    Repeat,
    Risk,
    Wait,
)
from novaops.runbook.registry import register

# Large databases take hours; the snapshot goes on at AWS whether or not somebody waits for it.
TIMEOUT_S = 4 * 3600.0
TAG_VALUE = RegexValidator(
    r"^[\w .:/=+@-]*$", "Only letters, digits, spaces and . : / = + @ - _ are allowed in a tag of AWS."
)


class DeploymentForm(forms.Form):
    """For which deployment the snapshot is taken."""

    deployment = forms.CharField(
        max_length=200,
        required=False,
        validators=[TAG_VALUE],
        label="Deployment",
        help_text="What is about to be deployed, as in api@9f31c2. It becomes a tag of the snapshot.",
    )


@register
class CreateSnapshot(Action):
    """Take a manual snapshot, wait until AWS has it, and keep it until somebody deletes it."""

    key = "create-snapshot"
    title = "Take a database snapshot"
    service = "database"
    risk = Risk.SAFE
    runbook_section = "Backup Strategy: Manual Snapshot Before Major Deployments"
    iam_permissions = (
        "rds:CreateDBSnapshot",
        "rds:CreateDBClusterSnapshot",
        "rds:AddTagsToResource",
        "rds:DescribeAccountAttributes",
        "rds:DescribeDBClusterSnapshots",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:DescribeDBSnapshots",
    )
    expected_s = 300.0
    affects = "Nobody: a Multi-AZ database is copied from a standby. It takes no other change meanwhile."
    undo = "Delete the snapshot once it is not needed: it costs storage."
    form = DeploymentForm

    def targets(self, environment: Environment) -> tuple[str, ...]:
        """Every database whose backups are watched, Nova's own first."""
        return tuple(one.id for one in environment.kept_databases)

    def look(self, ctx: Context) -> dict[str, Any]:
        """The database, and how many manual snapshots there may be; the day that a plan chose stays chosen."""
        kind = making.kind_of(ctx)
        found = rds_backups.describe(ctx.environment, kind, ctx.target)
        quota = rds_backups.quota(ctx.environment, kind)
        return {
            "kind": kind,
            "status": found.status,
            "multi_az": found.multi_az,
            "day": ctx.facts.get("day") or datetime.now(UTC).date().isoformat(),
            MOVING: {
                "manual": quota.used if quota else None,
                "quota": quota.most if quota else None,
                "size_gb": found.storage_gb,
            },
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """AWS takes a snapshot of an available database only, and so many in a region."""
        status, now = ctx.facts["status"], ctx.facts[MOVING]
        yield Precheck.require(
            status == "available",
            "RDS says that it is available.",
            f"RDS says {status}: wait until it is available.",
        )
        if now["quota"] is not None:
            counted = f"{now['manual']} of {now['quota']} manual snapshots of the region are there"
            yield Precheck.require(now["manual"] < now["quota"], f"{counted}.", f"{counted}: delete old ones.")
        if not ctx.facts["multi_az"]:
            yield Precheck(state="warning", sentence="It has no standby: its storage stops for a moment.")

    def changes(self, ctx: Context) -> Iterable[Change]:
        """One snapshot more."""
        yield Change(what="Snapshot", before="none", after=f"{_name(ctx)} of {ctx.facts[MOVING]['size_gb']} GiB")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Ask for it once by its own name, and wait until it is available."""
        of_cluster = ctx.facts["kind"] == rds_backups.CLUSTER
        database, snapshot = making.PARAMETERS[ctx.facts["kind"]]
        tags = origin.tags(deployment=ctx.params.get("deployment") or "")
        made = making.Made(kind=ctx.facts["kind"], name=_name(ctx))
        yield Effect(
            key="create",
            title=f"Take a snapshot of {ctx.target}",
            call=rds_backups.CREATE_OF_CLUSTER if of_cluster else rds_snapshots.CREATE,
            params={database: ctx.target, snapshot: _name(ctx), "Tags": tags},
            repeat=Repeat.NAMED,
            before=making.nothing,
            observe=made.seen,
        )
        yield Wait(key="available", title="RDS has the snapshot", look=made.available, timeout_s=TIMEOUT_S)


def _name(ctx: Context) -> FromRun:
    return named(PRE_DEPLOY, date.fromisoformat(ctx.facts["day"]), ctx.environment.name)
