"""Take a manual snapshot of the database before a deployment."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from backups.names import PRE_DEPLOY, RUN_TAG, named, run_tag
from novaops.cloud import rds, rds_snapshots
from novaops.environment import Environment
from novaops.runbook.action import (
    MOVING,
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    Precheck,
    Progress,
    Repeat,
    Risk,
    Seen,
    Verdict,
    Wait,
    sendable,
)
from novaops.runbook.registry import register

# Large databases take hours; the snapshot goes on at AWS whether or not somebody waits for it.
TIMEOUT_S = 4 * 3600.0
# The quota of manual snapshots in a region that AWS begins with (FACTS B3).
QUOTA = 100
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
        "rds:AddTagsToResource",
        "rds:DescribeDBInstances",
        "rds:DescribeDBSnapshots",
    )
    expected_s = 300.0
    affects = "Nobody: a Multi-AZ instance is copied from its standby. It takes no other change meanwhile."
    undo = "Delete the snapshot in RDS once it is not needed: it costs storage."
    form = DeploymentForm

    def applies(self, environment: Environment) -> bool:
        """Only where the database is an instance: a cluster's snapshots are made by other calls."""
        return environment.database.kind == "instance"

    def look(self, ctx: Context) -> dict[str, Any]:
        """The instance and how many manual snapshots it has; the day that a plan chose stays chosen."""
        found = rds.describe_instance(ctx.environment, ctx.target)
        manual = [one for one in rds_snapshots.of_instance(ctx.environment, ctx.target) if one.kind == "manual"]
        return {
            "status": found.status,
            "multi_az": found.multi_az,
            "day": ctx.facts.get("day") or datetime.now(UTC).date().isoformat(),
            MOVING: {"manual": len(manual), "size_gb": found.storage_gb},
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """AWS takes a snapshot of an available instance only, and so many in a region."""
        status, manual = ctx.facts["status"], ctx.facts[MOVING]["manual"]
        yield Precheck.require(
            status == "available",
            "RDS says that it is available.",
            f"RDS says {status}: wait until it is available.",
        )
        yield Precheck.require(
            manual < QUOTA, f"It has {manual} manual snapshots.", f"It has {manual} manual snapshots: delete old ones."
        )
        if not ctx.facts["multi_az"]:
            yield Precheck(state="warning", sentence="It has no standby: its storage stops for a moment.")

    def changes(self, ctx: Context) -> Iterable[Change]:
        """One snapshot more."""
        name = named(PRE_DEPLOY, date.fromisoformat(ctx.facts["day"]))
        yield Change(what="Snapshot", before="none", after=f"{name} of {ctx.facts['now']['size_gb']} GiB")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Ask for it once by its own name, and wait until it is available."""
        tags = [run_tag()]
        if ctx.params.get("deployment"):
            tags.append({"Key": "novaops:deployment", "Value": ctx.params["deployment"]})
        yield Effect(
            key="create",
            title=f"Take a snapshot of {ctx.target}",
            call=rds_snapshots.CREATE,
            params={"DBInstanceIdentifier": ctx.target, "DBSnapshotIdentifier": _name(ctx), "Tags": tags},
            repeat=Repeat.NAMED,
            before=_nothing,
            observe=_seen,
        )
        yield Wait(key="available", title="RDS has the snapshot", look=_available, timeout_s=TIMEOUT_S)


def _name(ctx: Context) -> Any:
    return named(PRE_DEPLOY, date.fromisoformat(ctx.facts["day"]))


def _found(ctx: Context) -> rds_snapshots.Snapshot | None:
    """The snapshot of the run's name, where it carries the run's tag: another's of that name is not ours."""
    found = rds_snapshots.describe(ctx.environment, sendable(_name(ctx), ctx))
    return found if found and found.tags.get(RUN_TAG) == str(ctx.run_id) else None


def _nothing(_ctx: Context) -> dict[str, Any]:
    """A named effect is known by its name: there is nothing to compare with."""
    return {}


def _seen(ctx: Context, _before: dict[str, Any]) -> Seen | None:
    found = _found(ctx)
    return Seen(sentence=f"RDS has {found.id}: {found.status}") if found else None


def _available(ctx: Context) -> Progress:
    found = _found(ctx)
    if found is None:
        return Progress(verdict=Verdict.NOT_YET, sentence="RDS does not show it yet")
    if found.status == "failed":
        return Progress(verdict=Verdict.FAILED, sentence=f"RDS says that {found.id} failed. Take another one.")
    done = found.status == "available"
    sentence = f"{found.id} is {found.status}" + ("" if done else f", {found.percent} % done")
    return Progress(verdict=Verdict.DONE if done else Verdict.NOT_YET, sentence=sentence, percent=found.percent)
