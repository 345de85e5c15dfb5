"""Reboot a member of the database cluster without failover."""

from collections.abc import Iterable
from typing import Any

from django import forms

from dashboard import database_restarts, instance_reboots
from novaops.cloud import rds
from novaops.environment import Environment
from novaops.runbook.action import Action, AnyStep, Change, Context, Precheck, Progress, Risk, Verdict, Verify
from novaops.runbook.registry import register


class MemberForm(forms.Form):
    """Which member reboots."""

    member = forms.CharField(
        max_length=63, required=False, label="Member to reboot", help_text="Writer or reader. Empty: the writer."
    )


@register
class RebootClusterMember(Action):
    """Restart PostgreSQL on one member of the cluster; the others run on, and no reader becomes the writer."""

    key = "reboot-cluster-member"
    title = "Reboot a member of the database cluster"
    service = "database"
    risk = Risk.DISRUPTIVE
    runbook_section = "Routine Maintenance: RDS Reboot (non-failover)"
    iam_permissions = (
        "rds:RebootDBInstance",
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "rds:DescribeEvents",
    )
    expected_s = 90.0
    affects = (
        "The member's connections are cut. Without the writer Nova has no database for about a minute, "
        "without a reader the other one serves the reads. Committed data are kept."
    )
    undo = "Nothing to undo: the same member runs again, in the same role."
    cool_down_s = 60
    form = MemberForm

    def applies(self, environment: Environment) -> bool:
        """Only where the database is a cluster: an instance of its own is rebooted as such."""
        return environment.database.kind == "cluster"

    def look(self, ctx: Context) -> dict[str, Any]:
        """The cluster and the chosen member as they are now."""
        found = rds.describe_cluster(ctx.environment, ctx.target)
        member, members = ctx.params.get("member") or found.writer, [found.writer, *found.readers]
        known = rds.describe_instance(ctx.environment, member) if member in members else None
        return {
            "status": found.status,
            "writer": found.writer,
            "members": members,
            "member": member,
            "member_status": known.status if known else "",
        }

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """It is a member, and it and the cluster are available."""
        member, members, status = ctx.facts["member"], ctx.facts["members"], ctx.facts["member_status"]
        role = "the writer" if member == ctx.facts["writer"] else "a reader"
        yield Precheck.require(
            member in members, f"{member} is {role}.", f"{member} is no member of it: {', '.join(members)}."
        )
        yield database_restarts.is_available(ctx)
        if member in members:
            yield Precheck.require(
                status == database_restarts.AVAILABLE,
                f"{member} is available.",
                f"{member} is {status}: wait until it is available.",
            )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """Only the connections."""
        yield Change(what=f"Connections to {ctx.facts['member']}", before="those that are open", after="all new")
        yield Change(what="Writer", before=ctx.facts["writer"], after=ctx.facts["writer"])

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Reboot the member once, wait until RDS has it back, see the same writer, verify by SQL."""
        member, writer = ctx.facts["member"], ctx.facts["writer"]
        yield from instance_reboots.steps(member)
        yield Verify(key="writer", title=f"{writer} is the writer still", look=_same_writer, timeout_s=120)
        yield database_restarts.sql_works("reboot", moved=member != writer)


def _same_writer(ctx: Context) -> Progress:
    before, found = ctx.facts["writer"], rds.describe_cluster(ctx.environment, ctx.target)
    if found.writer != before:
        return Progress(verdict=Verdict.FAILED, sentence=f"{found.writer} became the writer instead of {before}.")
    done = found.status == database_restarts.AVAILABLE
    return Progress(verdict=Verdict.DONE if done else Verdict.NOT_YET, sentence=f"The cluster is {found.status}")
