"""Terminate connections to the database: chosen ones, or all that have been idle for long."""

import re
from collections.abc import Iterable
from typing import Any

from django import forms

from novaops.cloud import nova_sessions, rds
from novaops.cloud.nova_sessions import Session
from novaops.runbook.action import (
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    FromStep,
    Precheck,
    Progress,
    Repeat,
    Risk,
    Seen,
    Verdict,
    Verify,
    Wait,
)
from novaops.runbook.registry import register
from novaops.words import counted

MOST = 500


class ConnectionsForm(forms.Form):
    """Which connections: by process number, or by how long they have been idle."""

    pids = forms.CharField(
        required=False, label="Process numbers", help_text=f"Chosen connections, as 4711, 4712; at most {MOST}."
    )
    idle_older_than_s = forms.IntegerField(
        required=False,
        min_value=60,
        max_value=7 * 86400,
        label="Or all idle for longer than, in seconds",
        help_text="From 60. Connections in a transaction are not idle.",
    )

    def clean_pids(self) -> list[int]:
        """The numbers, each once."""
        words = re.split(r"[\s,]+", self.cleaned_data["pids"].strip())
        pids = sorted({int(word) for word in words if word.isdecimal() and len(word) < 10})
        if any(word and not word.isdecimal() for word in words):
            raise forms.ValidationError("Write process numbers with commas between: 4711, 4712.")
        if len(pids) > MOST:
            raise forms.ValidationError(f"At most {MOST} at once.")
        return pids

    def clean(self) -> dict[str, Any]:
        """Exactly one of both ways."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and bool(cleaned.get("pids")) == bool(cleaned.get("idle_older_than_s")):
            raise forms.ValidationError("Give either process numbers or an idle time.")
        return cleaned


@register
class TerminateConnections(Action):
    """End connections by pg_terminate_backend; never NovaOps' own, replication, or a superuser's."""

    key = "terminate-connections"
    title = "Terminate database connections"
    service = "database"
    risk = Risk.DISRUPTIVE
    runbook_section = "Common Alert Runbooks: Database Connection Exhaustion"
    iam_permissions = ("rds:DescribeDBInstances", "rds:DescribeDBClusters")
    expected_s = 5.0
    affects = "Who is connected there gets an error, and what was not committed is rolled back. Others notice nothing."
    undo = "Nothing to undo: clients connect anew when they need to."
    form = ConnectionsForm

    def look(self, ctx: Context) -> dict[str, Any]:
        """The chosen connections. Idle ones come and go: they are listed when the run begins."""
        status = rds.describe(ctx.environment).status
        found = nova_sessions.connections(ctx.environment.database.dsn)
        wanted = ctx.params.get("pids") or []
        chosen = [_fact(one) for one in found if one.pid in wanted]
        known = {one["pid"] for one in chosen}
        return {"status": status, "chosen": chosen, "missing": [pid for pid in wanted if pid not in known]}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """Every chosen one is there and may be ended."""
        status = ctx.facts["status"]
        yield Precheck(state="passed" if status == "available" else "warning", sentence=f"RDS says {status}.")
        missing = ", ".join(map(str, ctx.facts["missing"]))
        yield Precheck.require(not missing, "NovaOps may read who is connected.", f"Not connected any more: {missing}.")
        for one in ctx.facts["chosen"]:
            named = f"{one['pid']} ({one['user']}, {one['application'] or 'no name'})"
            yield Precheck.require(
                not one["protected"],
                f"{named} may be ended.",
                f"{named} is {one['protected']}: it is never ended here.",
            )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The connections."""
        idle_s = ctx.params.get("idle_older_than_s")
        what = f"Connections idle for longer than {idle_s} s" if idle_s else _count(len(ctx.facts["chosen"]))
        yield Change(what=what, before="open", after="ended")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """List them with their start, end exactly those, verify that they are gone."""
        yield Wait(key="choose", title="List the connections to end", look=_choose, timeout_s=60)
        yield Effect(
            key="terminate",
            title="End them",
            call=nova_sessions.TERMINATE_BACKENDS,
            params={"sessions": FromStep("choose", "sessions")},
            repeat=Repeat.CONVERGING,
            before=lambda _: {},
            observe=lambda now, _before: None if _left(now) else Seen(sentence="None of them is connected any more"),
        )
        yield Verify(key="gone", title="They are gone", look=_gone, timeout_s=60)


def _fact(session: Session) -> dict[str, Any]:
    return {
        "pid": session.pid,
        "started_at": session.started_at.isoformat() if session.started_at else "",
        "user": session.user,
        "application": session.application,
        "protected": session.protected,
    }


def _choose(ctx: Context) -> Progress:
    idle_s = ctx.params.get("idle_older_than_s")
    if not idle_s:
        sessions = [[one["pid"], one["started_at"]] for one in ctx.facts["chosen"]]
    else:
        found = nova_sessions.connections(ctx.environment.database.dsn)
        idle = nova_sessions.idle_longer_than(found, idle_s)[:MOST]
        sessions = [[one.pid, one.started_at.isoformat()] for one in idle if one.started_at]
    sentence = f"To end: {_count(len(sessions))}."
    return Progress(verdict=Verdict.DONE, sentence=sentence, result={"sessions": sessions})


def _left(ctx: Context) -> int:
    """How many of the listed connections are still there: the same number and the same start."""
    listed = {(pid, start) for pid, start in ctx.results["choose"]["sessions"]}
    found = nova_sessions.connections(ctx.environment.database.dsn)
    return sum((one.pid, one.started_at.isoformat()) in listed for one in found if one.started_at)


def _gone(ctx: Context) -> Progress:
    left, ended = _left(ctx), len(ctx.results["choose"]["sessions"])
    if left:
        return Progress(verdict=Verdict.NOT_YET, sentence=f"Still connected: {left} of {ended}")
    sentence = f"Ended: {_count(ended)}." if ended else "No connection was idle for so long: nothing to end."
    return Progress(verdict=Verdict.DONE, sentence=sentence)


def _count(connections: int) -> str:
    return counted(connections, "connection")
