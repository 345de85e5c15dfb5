"""Copy a snapshot to another region, where it outlives the loss of this one."""

from collections.abc import Iterable
from typing import Any

from django import forms

from backups import making, origin
from backups.making import Made
from backups.names import copy_named
from novaops.cloud import rds_backups
from novaops.cloud.rds_backups import INSTANCE
from novaops.environment import Environment
from novaops.runbook.action import (
    MOVING,
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    Precheck,
    Repeat,
    Risk,
    Wait,
)
from novaops.runbook.registry import register

# Between regions a large database takes long; the copy goes on at AWS whether or not somebody waits for it.
TIMEOUT_S = 12 * 3600.0


class CopyForm(forms.Form):
    """Which snapshot is copied."""

    snapshot = forms.CharField(
        max_length=255,
        required=False,
        label="Snapshot",
        help_text="Its identifier, automated ones included. Empty: the newest that is available.",
    )


@register
class CopySnapshot(Action):
    """Copy a snapshot to the region that nova.toml names, and wait until it is available there."""

    key = "copy-snapshot"
    title = "Copy a snapshot to another region"
    service = "database"
    risk = Risk.SAFE
    runbook_section = "Backup Strategy: Automated RDS Snapshots"
    iam_permissions = (
        "rds:CopyDBSnapshot",
        "rds:AddTagsToResource",
        "rds:DescribeDBSnapshots",
        "kms:CreateGrant",
        "kms:DescribeKey",
    )
    expected_s = 1800.0
    affects = "Nobody: it is copied from storage. The other region's storage and the transfer cost money."
    undo = "Delete old copies in the other region, once they are not needed."
    form = CopyForm

    def applies(self, environment: Environment) -> bool:
        """Only where another region is named, and for instances: RDS copies no snapshot of a Multi-AZ DB cluster."""
        return bool(environment.backups.copy_to_region and self.targets(environment))

    def targets(self, environment: Environment) -> tuple[str, ...]:
        """The instances whose backups are watched."""
        return tuple(one.id for one in environment.kept_databases if one.kind == INSTANCE)

    def look(self, ctx: Context) -> dict[str, Any]:
        """The snapshot, which a plan's choice stays, and its copies in the other region."""
        wanted = ctx.params.get("snapshot") or ctx.facts.get("snapshot")
        known = rds_backups.snapshots_of(ctx.environment, INSTANCE, ctx.target)
        chosen = next((one for one in known if one.id == wanted or (not wanted and one.status == "available")), None)
        abroad = rds_backups.snapshots_of(ctx.environment.in_region(_region(ctx)), INSTANCE, ctx.target)
        return {
            "snapshot": chosen.id if chosen else wanted,
            "arn": chosen.arn if chosen else "",
            "status": chosen.status if chosen else "",
            "encrypted": chosen.encrypted if chosen else False,
            "size_gb": chosen.size_gb if chosen else 0,
            MOVING: {"copies": [one.id for one in abroad if chosen and one.copied_from == chosen.arn]},
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """It is there and finished, and a key of the other region is named where it is encrypted."""
        name, facts = ctx.facts["snapshot"] or "A snapshot that is available", ctx.facts
        if not facts["arn"]:
            yield Precheck(state="failed", sentence=f"{name} is not among those of {ctx.target}.")
            return
        yield Precheck.require(
            facts["status"] == "available", f"{name} is available.", f"{name} is {facts['status']}: wait for it."
        )
        if facts["encrypted"]:
            yield Precheck.require(
                bool(ctx.environment.backups.copy_kms_key),
                f"It is encrypted with {ctx.environment.backups.copy_kms_key} there.",
                f"It is encrypted: name a key of {_region(ctx)} as backups.copy_kms_key in nova.toml.",
            )
        for copy in facts[MOVING]["copies"]:
            yield Precheck(state="warning", sentence=f"It is copied there already, as {copy}.")

    def changes(self, ctx: Context) -> Iterable[Change]:
        """One snapshot more in the other region."""
        after = f"{_name(ctx)} of {ctx.facts['size_gb']} GiB"
        yield Change(what=f"Copy of {ctx.facts['snapshot']} in {_region(ctx)}", before="none", after=after)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Ask for it once, in that region and by its own name, and wait until it is available."""
        made = Made(kind=INSTANCE, name=_name(ctx), region=_region(ctx))
        key = ctx.environment.backups.copy_kms_key
        yield Effect(
            key="copy",
            title=f"Copy {ctx.facts['snapshot']} to {_region(ctx)}",
            call=rds_backups.copy_into(_region(ctx)),
            params={
                "SourceDBSnapshotIdentifier": ctx.facts["arn"],
                "SourceRegion": ctx.environment.region,
                "TargetDBSnapshotIdentifier": _name(ctx),
                "Tags": origin.tags(),
                **({"KmsKeyId": key} if key and ctx.facts["encrypted"] else {}),
            },
            repeat=Repeat.NAMED,
            before=making.nothing,
            observe=made.seen,
        )
        yield Wait(key="available", title=f"{_region(ctx)} has the copy", look=made.available, timeout_s=TIMEOUT_S)


def _region(ctx: Context) -> str:
    return ctx.environment.backups.copy_to_region or ""


def _name(ctx: Context) -> Any:
    return copy_named(ctx.facts["snapshot"] or "")
