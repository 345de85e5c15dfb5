"""Fail the database over: a Multi-AZ instance to its standby, a cluster to one of its readers."""

from collections.abc import Iterable
from typing import Any, Protocol

from django import forms

from dashboard import cluster_failovers, instance_failovers
from novaops.environment import Environment
from novaops.runbook.action import Action, AnyStep, Change, Context, Precheck, Risk
from novaops.runbook.registry import register


class ReaderForm(forms.Form):
    """Which reader of a cluster shall become the writer; an instance has one standby and no choice."""

    reader = forms.CharField(
        max_length=63,
        required=False,
        label="Reader to promote",
        help_text="Of a cluster only. Empty: the first available reader.",
    )


class Topology(Protocol):
    """How a database fails over that is declared in one way or the other."""

    def look(self, ctx: Context) -> dict[str, Any]: ...

    def prechecks(self, ctx: Context) -> Iterable[Precheck]: ...

    def changes(self, ctx: Context) -> Iterable[Change]: ...

    def steps(self, ctx: Context) -> Iterable[AnyStep]: ...


@register
class FailOverDatabase(Action):
    """Let the standby take over, by the call that fits the declared topology; the other call is never made."""

    key = "fail-over-database"
    title = "Fail over the database"
    service = "database"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Routine Maintenance: RDS Failover (Multi-AZ)"
    iam_permissions = (
        "rds:RebootDBInstance",
        "rds:FailoverDBCluster",
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "rds:DescribeEvents",
    )
    expected_s = 120.0
    affects = (
        "Every connection is cut; writes stop for one to two minutes. Committed data are kept, open transactions not."
    )
    undo = "Fail over again, back to where it was: RDS may decline that for some minutes."
    cool_down_s = 600
    form = ReaderForm

    def look(self, ctx: Context) -> dict[str, Any]:
        """The topology as RDS has it, to be compared with the declared one."""
        return _of(ctx.environment).look(ctx)

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """Something can take over, and the topology is the declared one."""
        return _of(ctx.environment).prechecks(ctx)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """Where the database takes writes."""
        return _of(ctx.environment).changes(ctx)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Fail over once, wait until the other one serves, verify by SQL."""
        return _of(ctx.environment).steps(ctx)


def _of(environment: Environment) -> Topology:
    return cluster_failovers if environment.database.kind == "cluster" else instance_failovers
