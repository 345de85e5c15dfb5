"""Delete an instance that a restore left beside production."""

from collections.abc import Iterable
from typing import Any

from django import forms

from backups import beside
from backups.deleting import TIMEOUT_S, delete, described, gone
from backups.names import ENVIRONMENT_TAG, RESTORED_NAME, RUN_TAG
from backups.restoring import nothing
from novaops.cloud import rds_restores, rds_snapshots, secrets
from novaops.environment import Environment
from novaops.runbook.action import (
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
)
from novaops.runbook.registry import register


class LastSnapshotForm(forms.Form):
    """Whether something of it is kept."""

    last_snapshot = forms.BooleanField(
        required=False,
        label="Take a last snapshot",
        help_text="Where Nova wrote to it after a cut-over, these rows are nowhere else.",
    )


@register
class DeleteRestored(Action):
    """Delete a restored instance, its deletion protection first. Only instances that a restore made can be named."""

    key = "delete-restored"
    title = "Delete a restored instance"
    service = "database"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Backup Strategy: Restore from Snapshot"
    iam_permissions = (
        "rds:AddTagsToResource",
        "rds:CreateDBSnapshot",
        "rds:DeleteDBInstance",
        "rds:DescribeDBInstances",
        "rds:ModifyDBInstance",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
    )
    expected_s = 300.0
    affects = "Nobody, while Nova does not use it: that is looked at right before."
    undo = "None, but a restore of its source again, or of the last snapshot where one is taken."
    form = LastSnapshotForm

    def targets(self, environment: Environment) -> tuple[str, ...]:
        """None by itself: each restored instance is named where it is listed."""
        return ()

    def may_target(self, environment: Environment, target: str) -> bool:
        """A restored instance by its name; whether there is one, and whose, is looked at."""
        return bool(RESTORED_NAME.fullmatch(target)) and target != environment.database.target

    def look(self, ctx: Context) -> dict[str, Any]:
        """The instance, whether a restore of ours made it, and whether Nova points at it."""
        found = rds_snapshots.settings(ctx.environment, ctx.target)
        if found is None:
            return {"status": None, "used": ""}
        tags = rds_snapshots.tags_of(found)
        host = found.get("Endpoint", {}).get("Address", "")
        return {
            "status": found["DBInstanceStatus"],
            "protected": found.get("DeletionProtection", False),
            "size_gb": found.get("AllocatedStorage", 0),
            "run": tags.get(RUN_TAG, ""),
            "environment": tags.get(ENVIRONMENT_TAG, ctx.environment.name),
            "used": _used(ctx, host),
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """It is there, ours, finished, and nothing uses it."""
        facts = ctx.facts
        if facts["status"] is None:
            yield Precheck(state="failed", sentence=f"RDS does not know {ctx.target}: it is gone already.")
            return
        ours = bool(facts["run"]) and facts["environment"] == ctx.environment.name
        yield Precheck.require(
            ours, f"Run {facts['run']} made it.", f"It does not carry the tags of a restore of {ctx.environment.title}."
        )
        yield Precheck.require(not facts["used"], "Nova does not use it.", f"{facts['used']}: cut back first.")
        deletable = facts["status"] in ("available", "stopped", "failed", "storage-full", "incompatible-restore")
        yield Precheck.require(
            deletable, f"It is {facts['status']}.", f"It is {facts['status']}: wait until it is available."
        )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The instance with its automated backups."""
        yield Change(what="Instance", before=f"{ctx.target}, {ctx.facts.get('size_gb', 0)} GiB", after="none")
        yield Change(what="Its own automated backups", before="kept", after="deleted with it")
        if ctx.params.get("last_snapshot"):
            yield Change(what="Last snapshot", before="none", after=_last(ctx))

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Take its protection away, delete it, wait until it is gone."""
        if ctx.facts["status"] is None:
            return
        if ctx.facts["protected"]:
            yield Effect(
                key="unprotect",
                title="Take its deletion protection away",
                call=rds_restores.MODIFY,
                params={"DBInstanceIdentifier": ctx.target, "DeletionProtection": False, "ApplyImmediately": True},
                repeat=Repeat.CONVERGING,
                before=nothing,
                observe=_unprotected,
            )
            yield Wait(key="unprotected", title="It is not protected", look=_may_go, timeout_s=TIMEOUT_S)
        yield delete(ctx.target, _last(ctx) if ctx.params.get("last_snapshot") else "")
        yield gone(ctx.target)


def _unprotected(ctx: Context, _before: dict[str, Any]) -> Seen | None:
    found = described(ctx, ctx.target)
    return None if found is None or found.get("DeletionProtection") else Seen(sentence="It is not protected any more")


def _may_go(ctx: Context) -> Progress:
    found = described(ctx, ctx.target)
    if found is None:
        return Progress(verdict=Verdict.FAILED, sentence="RDS does not know it any more.")
    holds = found["DBInstanceStatus"] == "available" and not found.get("DeletionProtection")
    sentence = f"It is {found['DBInstanceStatus']}"
    return Progress(verdict=Verdict.DONE if holds else Verdict.NOT_YET, sentence=sentence)


def _last(ctx: Context) -> str:
    return f"{ctx.target}-last"


def _used(ctx: Context, host: str) -> str:
    """Why Nova needs it, empty where it does not: what DATABASE_URL says now, or the last cut-over."""
    url = ctx.environment.database.url
    if url is not None and url.kind != "variable":
        points_there = bool(host) and secrets.pointer(ctx.environment, url).host == host
        return "DATABASE_URL points at it" if points_there else ""
    return "Nova was cut over to it" if beside.in_use(ctx.environment) == ctx.target else ""
