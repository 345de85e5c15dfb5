"""Reboot the database instance without failover."""

from collections.abc import Iterable
from typing import Any

from dashboard import database_restarts, instance_reboots
from novaops.cloud import rds
from novaops.environment import Environment
from novaops.runbook.action import Action, AnyStep, Change, Context, Precheck, Risk
from novaops.runbook.registry import register


@register
class RebootDatabase(Action):
    """Restart PostgreSQL on the same machine: every connection is cut, nothing committed is lost."""

    key = "reboot-database"
    title = "Reboot the database"
    service = "database"
    risk = Risk.DISRUPTIVE
    runbook_section = "Routine Maintenance: RDS Reboot (non-failover)"
    iam_permissions = ("rds:RebootDBInstance", "rds:DescribeDBInstances", "rds:DescribeEvents")
    expected_s = 90.0
    affects = "Every connection is cut; Nova has no database for about a minute. Committed data are kept."
    undo = "Nothing to undo: the same instance runs again."
    cool_down_s = 60

    def applies(self, environment: Environment) -> bool:
        """Only where the database is an instance: the members of a cluster reboot one by one."""
        return environment.database.kind == "instance"

    def look(self, ctx: Context) -> dict[str, Any]:
        """The instance as it is now."""
        found = rds.describe_instance(ctx.environment, ctx.target)
        return {"status": found.status, "zone": found.zone, "cluster": found.cluster}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """It is available, and an instance of its own."""
        yield database_restarts.is_available(ctx)
        cluster = ctx.facts["cluster"]
        yield Precheck.require(
            not cluster,
            "It is an instance of its own.",
            f"It belongs to the cluster {cluster}: declare that in nova.toml.",
        )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """Only the connections."""
        yield Change(what="Connections", before="those that are open", after="all new")
        yield Change(what="Availability Zone", before=ctx.facts["zone"], after=ctx.facts["zone"])

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Reboot once, wait until RDS has it back, verify by SQL."""
        yield from instance_reboots.steps(ctx.target)
        yield database_restarts.sql_works("reboot")
