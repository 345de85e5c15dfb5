"""Restart the API server on ECS."""

from collections.abc import Iterable
from typing import Any

from novaops.environment import Environment
from novaops.runbook import rollouts
from novaops.runbook.action import Action, AnyStep, Change, Context, Precheck, Risk
from novaops.runbook.registry import register
from novaops.words import counted


@register
class RestartApi(Action):
    """Replace every task of the API server, one after the other, by a forced new deployment."""

    key = "restart-api"
    title = "Restart the API server"
    service = "api"
    risk = Risk.DISRUPTIVE
    runbook_section = "Routine Maintenance: Restart the API Server"
    iam_permissions = ("ecs:UpdateService", "ecs:DescribeServices", "elasticloadbalancing:DescribeTargetHealth")
    expected_s = 180.0
    affects = "Requests go on: ECS starts new tasks before it drains the old ones. Connections held open are cut."
    undo = "Nothing to undo: the same task definition runs again."

    def applies(self, environment: Environment) -> bool:
        """Only where the API server runs on ECS."""
        return environment.api.kind == "ecs"

    def look(self, ctx: Context) -> dict[str, Any]:
        """The ECS service as it is now."""
        return rollouts.facts(ctx.environment, ctx.environment.api.on_ecs)

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """What every rollout needs."""
        return rollouts.prechecks(ctx)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """New tasks of the same task definition."""
        yield Change(
            what=f"{counted(ctx.facts['desired'], 'task')} of {ctx.facts['task_definition'].rpartition('/')[2]}",
            before=f"those of {ctx.facts['deployment']}",
            after="new ones of the same task definition",
        )

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Deploy, wait for the rollout, verify behind the load balancer."""
        service, target_group_arn = ctx.environment.api.on_ecs, ctx.environment.api.target_group_arn
        yield rollouts.force_new_deployment(service)
        yield rollouts.wait_for_rollout(service)
        yield rollouts.verify_healthy(service, target_group_arn)
