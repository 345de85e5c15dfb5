"""Delete old manual snapshots of a database."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from django import forms

from backups import claims, cleaning, making
from backups.cleaning import MOST, Wanted
from backups.names import RUN_TAG
from novaops.cloud import rds_backups
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
)
from novaops.runbook.registry import register
from novaops.words import counted, there_are


class OldForm(forms.Form):
    """Which snapshots are old enough."""

    older_than_days = forms.IntegerField(
        min_value=1,
        max_value=3650,
        required=False,
        label="Older than (days)",
        help_text="Empty: as many days as the policy keeps manual snapshots.",
    )
    snapshot = forms.CharField(
        max_length=255,
        required=False,
        label="Only this snapshot",
        help_text="Its identifier, however old it is. Empty: every old one.",
    )
    others = forms.BooleanField(
        required=False,
        label="Also those that NovaOps did not take",
        help_text="They carry no tag of a run: ask who took them.",
    )


@register
class DeleteSnapshots(Action):
    """Delete manual snapshots that are older than the policy keeps them, each named in the preview.

    Never the newest, never one that an open incident, a drill or a run uses, never one tagged novaops:keep.
    """

    key = "delete-snapshots"
    title = "Delete old manual snapshots"
    service = "database"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Backup Strategy: Manual Snapshot Before Major Deployments"
    iam_permissions: ClassVar[tuple[str, ...]] = (
        "rds:DeleteDBSnapshot",
        "rds:DeleteDBClusterSnapshot",
        "rds:DescribeDBClusterSnapshots",
        "rds:DescribeDBSnapshots",
    )
    expected_s = 30.0
    affects = "Nobody now: what is deleted can never be restored again. Automated backups are not touched."
    undo = "None: a deleted snapshot is gone."
    form = OldForm

    def targets(self, environment: Environment) -> tuple[str, ...]:
        """Every database whose backups are watched, Nova's own first."""
        return tuple(one.id for one in environment.kept_databases)

    def region(self, environment: Environment) -> str:
        """In which other region they are; empty for the environment's own."""
        return ""

    def look(self, ctx: Context) -> dict[str, Any]:
        """What may be deleted. A run deletes what its plan named and nothing else, and only while all of it is free."""
        kind, before = making.kind_of(ctx), ctx.facts.get("before") or _before(ctx)
        known = rds_backups.snapshots_of(self._place(ctx), kind, ctx.target)
        wanted = Wanted(
            before=datetime.fromisoformat(before),
            named=ctx.params.get("snapshot") or "",
            foreign=bool(ctx.params.get("others")),
        )
        found = cleaning.sort(known, claims.of(ctx.environment), wanted)
        planned = ctx.facts.get("chosen")
        names = [one["name"] for one in planned] if planned is not None else [one.id for one in found.free[:MOST]]
        chosen = [one for one in found.free if one.id in names]
        return {
            "kind": kind,
            "before": before,
            "chosen": [
                {
                    "name": one.id,
                    "taken": one.created_at.isoformat() if one.created_at else "",
                    "size_gb": one.size_gb,
                    "run": one.tags.get(RUN_TAG, ""),
                }
                for one in chosen
            ],
            MOVING: {"spared": found.spared, "left": len(found.free) - len(chosen)},
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """Something is there to be deleted; what is spared is said with its reason."""
        chosen, now = ctx.facts["chosen"], ctx.facts[MOVING]
        size_gb = sum(one["size_gb"] for one in chosen)
        yield Precheck.require(
            bool(chosen),
            f"{counted(len(chosen), 'snapshot')} of {size_gb} GiB may be deleted.",
            f"No manual snapshot {_described(ctx)} may be deleted.",
        )
        if now["left"]:
            yield Precheck(state="warning", sentence=f"{now['left']} more wait for the next run: {MOST} at a time.")
        for name, why in now["spared"].items():
            yield Precheck(state="warning", sentence=f"{name} stays: {why}.".replace("..", "."))

    def changes(self, ctx: Context) -> Iterable[Change]:
        """Each snapshot that goes."""
        for one in ctx.facts["chosen"]:
            by = f", taken in run {one['run']}" if one["run"] else ""
            yield Change(what=one["name"], before=f"{one['size_gb']} GiB of {one['taken'][:10]}{by}", after="deleted")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Delete each by its name, then see that RDS has none of them."""
        kind, gone = ctx.facts["kind"], self._is_gone
        call = rds_backups.delete_in(self.region(ctx.environment), kind)
        names = [one["name"] for one in ctx.facts["chosen"]]
        for number, name in enumerate(names, 1):
            yield Effect(
                key=f"delete-{number}",
                title=f"Delete {name}",
                call=call,
                params={making.PARAMETERS[kind][1]: name},
                repeat=Repeat.NAMED,
                before=partial(_free, name),
                observe=partial(_seen_gone, name, gone),
            )
        yield Wait(key="gone", title="RDS has them no more", look=partial(_gone, names, gone), timeout_s=600)

    def _place(self, ctx: Context) -> Environment:
        region = self.region(ctx.environment)
        return ctx.environment.in_region(region) if region else ctx.environment

    def _is_gone(self, name: str, ctx: Context) -> bool:
        return cleaning.is_gone(name, self._place(ctx), ctx.facts["kind"])


def _before(ctx: Context) -> str:
    days = ctx.params.get("older_than_days") or ctx.environment.backups.keep_manual_days
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def _described(ctx: Context) -> str:
    if ctx.params.get("snapshot"):
        return f"called {ctx.params['snapshot']}"
    return f"from before {ctx.facts['before'][:10]}"


def _free(name: str, ctx: Context) -> dict[str, Any]:
    cleaning.still_free(name, ctx)
    return {}


def _seen_gone(
    name: str, is_gone: Callable[[str, Context], bool], ctx: Context, _before: dict[str, Any]
) -> Seen | None:
    return Seen(sentence=f"RDS has {name} no more") if is_gone(name, ctx) else None


def _gone(names: list[str], is_gone: Callable[[str, Context], bool], ctx: Context) -> Progress:
    left = [name for name in names if not is_gone(name, ctx)]
    if left:
        return Progress(verdict=Verdict.NOT_YET, sentence=f"RDS still has {', '.join(left)}")
    return Progress(verdict=Verdict.DONE, sentence=f"{there_are(len(names), 'snapshot')} gone")
