"""Restore a snapshot into a new instance that is set up as production is."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from django import forms

from backups import carry_over
from backups.names import RESTORED, RUN_TAG, named, run_tag
from novaops.cloud import rds_snapshots
from novaops.cloud.rds_snapshots import Snapshot
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
    Verify,
    Wait,
    sendable,
)
from novaops.runbook.registry import register

TIMEOUT_S = 6 * 3600.0
# A restored instance in one of these does not become available by waiting (FACTS B2).
BROKEN = frozenset(
    {"failed", "incompatible-network", "incompatible-parameters", "incompatible-restore", "restore-error"}
)


class SnapshotForm(forms.Form):
    """Which snapshot is restored."""

    snapshot = forms.CharField(
        max_length=255,
        required=False,
        label="Snapshot",
        help_text="Its identifier, automated ones included. Empty: the newest that is available.",
    )


@register
class RestoreSnapshot(Action):
    """Make a new instance from a snapshot, set it up as production is, and compare the two. Production is not touched.

    RDS always restores into a new instance. Pointing Nova at it is a decision of its own.
    """

    key = "restore-snapshot"
    title = "Restore a snapshot into a new instance"
    service = "database"
    risk = Risk.DISRUPTIVE
    runbook_section = "Backup Strategy: Restore from Snapshot"
    iam_permissions = (
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:ModifyDBInstance",
        "rds:AddTagsToResource",
        "iam:PassRole",
        "rds:DescribeDBInstances",
        "rds:DescribeDBSnapshots",
    )
    expected_s = 1800.0
    affects = (
        "Nobody: the new instance stands beside production, which is only read. It costs money until it is deleted."
    )
    undo = "Delete the new instance in RDS, its deletion protection first."
    form = SnapshotForm

    def applies(self, environment: Environment) -> bool:
        """Only where the database is an instance: a cluster's snapshots are restored by other calls."""
        return environment.database.kind == "instance"

    def look(self, ctx: Context) -> dict[str, Any]:
        """The snapshot, and production's settings. What a plan chose stays chosen when its run begins."""
        wanted = ctx.params.get("snapshot") or ctx.facts.get("snapshot")
        known = rds_snapshots.of_instance(ctx.environment, ctx.target)
        chosen = next((one for one in known if one.id == wanted or (not wanted and one.status == "available")), None)
        production = rds_snapshots.settings(ctx.environment, ctx.target)
        return {
            "snapshot": chosen.id if chosen else wanted,
            "found": _told(chosen),
            "production": _copied(production) if production else None,
            "engine_version": production["EngineVersion"] if production else "",
            "day": ctx.facts.get("day") or datetime.now(UTC).date().isoformat(),
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """The snapshot is one of this database and can be restored; production's settings are known."""
        found, production = ctx.facts["found"], ctx.facts["production"]
        yield Precheck.require(
            production is not None, "Production's settings are read.", f"RDS does not know {ctx.target}."
        )
        if found is None:
            sentence = f"{ctx.facts['snapshot'] or 'A snapshot that is available'} is not among those of {ctx.target}."
            yield Precheck(state="failed", sentence=sentence)
            return
        yield Precheck.require(
            found["status"] == "available",
            f"{ctx.facts['snapshot']} is available, of {found['created_at']}.",
            f"{ctx.facts['snapshot']} is {found['status']}: wait until it is available.",
        )
        if found["engine_version"] != ctx.facts["engine_version"]:
            sentence = f"It is of PostgreSQL {found['engine_version']}, production runs {ctx.facts['engine_version']}."
            yield Precheck(state="warning", sentence=sentence)
        if not found["encrypted"]:
            yield Precheck(state="warning", sentence="The snapshot is not encrypted, and neither will the instance be.")

    def changes(self, ctx: Context) -> Iterable[Change]:
        """A new instance, and each setting that it takes over from production."""
        yield Change(what="Instance", before="none", after=str(_name(ctx)))
        for name, value in sorted((ctx.facts["production"] or {"restore": {}})["restore"].items()):
            yield Change(what=name, before="RDS's default", after=_words(value))

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Restore once by its own name, set what a restore does not take, and compare with production."""
        copied = ctx.facts["production"]
        if copied is None or ctx.facts["found"] is None:
            return
        name = _name(ctx)
        yield Effect(
            key="restore",
            title=f"Restore {ctx.facts['snapshot']}",
            call=rds_snapshots.RESTORE,
            params={
                "DBInstanceIdentifier": name,
                "DBSnapshotIdentifier": ctx.facts["snapshot"],
                **copied["restore"],
                "Tags": [*copied["tags"], run_tag()],
            },
            repeat=Repeat.NAMED,
            before=_nothing,
            observe=_seen,
        )
        yield Wait(key="available", title="RDS has the new instance", look=_available, timeout_s=TIMEOUT_S)
        if copied["modify"]:
            yield Effect(
                key="modify",
                title="Set what a restore does not take",
                call=rds_snapshots.MODIFY,
                params={"DBInstanceIdentifier": name, **copied["modify"], "ApplyImmediately": True},
                repeat=Repeat.CONVERGING,
                before=_nothing,
                observe=_modified,
            )
            yield Wait(key="modified", title="RDS has changed it", look=_available, timeout_s=TIMEOUT_S)
        yield Verify(key="compare", title="It is set up as production is", look=_compared, timeout_s=600)


def _told(snapshot: Snapshot | None) -> dict[str, Any] | None:
    if snapshot is None:
        return None
    return {
        "status": snapshot.status,
        "engine_version": snapshot.engine_version,
        "encrypted": snapshot.encrypted,
        "created_at": f"{snapshot.created_at:%Y-%m-%d %H:%M:%S} UTC" if snapshot.created_at else "",
    }


def _copied(production: dict[str, Any]) -> dict[str, Any]:
    return {
        "restore": carry_over.restore_parameters(production),
        "modify": carry_over.modify_parameters(production),
        "tags": carry_over.tags(production),
    }


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _name(ctx: Context) -> Any:
    return named(RESTORED, date.fromisoformat(ctx.facts["day"]))


def _restored(ctx: Context) -> dict[str, Any] | None:
    """The instance of the run's name, where it carries the run's tag: another's of that name is not ours."""
    found = rds_snapshots.settings(ctx.environment, sendable(_name(ctx), ctx))
    return found if found and rds_snapshots.tags_of(found).get(RUN_TAG) == str(ctx.run_id) else None


def _nothing(_ctx: Context) -> dict[str, Any]:
    """A named effect is known by its name: there is nothing to compare with."""
    return {}


def _seen(ctx: Context, _before: dict[str, Any]) -> Seen | None:
    found = _restored(ctx)
    return Seen(sentence=f"RDS has {found['DBInstanceIdentifier']}: {found['DBInstanceStatus']}") if found else None


def _available(ctx: Context) -> Progress:
    found = _restored(ctx)
    if found is None:
        return Progress(verdict=Verdict.NOT_YET, sentence="RDS does not show it yet")
    status = found["DBInstanceStatus"]
    sentence = f"{found['DBInstanceIdentifier']} is {status}"
    if status in BROKEN:
        return Progress(verdict=Verdict.FAILED, sentence=f"{sentence}: that needs someone in the RDS console.")
    settled = status == "available" and not found.get("PendingModifiedValues")
    return Progress(verdict=Verdict.DONE if settled else Verdict.NOT_YET, sentence=sentence)


def _modified(ctx: Context, _before: dict[str, Any]) -> Seen | None:
    found = _restored(ctx)
    wanted = ctx.facts["production"]["modify"]
    if found is None or carry_over.modify_parameters(found) != wanted:
        return None
    return Seen(sentence="It has what was to be set")


def _compared(ctx: Context) -> Progress:
    """Compare what RDS says of both now: production may have changed since the plan."""
    production = rds_snapshots.settings(ctx.environment, ctx.target)
    restored = _restored(ctx)
    if production is None or restored is None:
        return Progress(verdict=Verdict.FAILED, sentence="One of the two instances is gone.")
    different = carry_over.differences(production, restored)
    if different:
        return Progress(verdict=Verdict.FAILED, sentence=f"Not as production: {'; '.join(different)}.")
    where = restored["Endpoint"]["Address"]
    return Progress(verdict=Verdict.DONE, sentence=f"It is set up as production is, and answers at {where}.")
