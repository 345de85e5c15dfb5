"""Restart the event processor."""

from collections.abc import Iterable
from typing import Any

from novaops.runbook import rollouts
from novaops.runbook.action import Action, AnyStep, Change, Context, Precheck, Risk
from novaops.runbook.registry import register


@register
class RestartEventProcessor(Action):
    """Replace the event processor's task by a forced new deployment; it goes on from its stored cursor."""

    key = "restart-event-processor"
    title = "Restart the event processor"
    service = "events"
    risk = Risk.DISRUPTIVE
    runbook_section = "Common Alert Runbooks: Contract Event Processing Lag"
    iam_permissions = ("ecs:UpdateService", "ecs:DescribeServices")
    expected_s = 120.0
    affects = "Events wait while the task is replaced; none is lost while the RPC still keeps their ledgers."
    undo = "Nothing to undo: the same task definition runs again from the stored cursor."

    def look(self, ctx: Context) -> dict[str, Any]:
        """The ECS service as it is now."""
        return rollouts.facts(ctx.environment, ctx.environment.events)

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """What every rollout needs."""
        return rollouts.prechecks(ctx)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """A new task of the same task definition."""
        yield Change(
            what=f"The task of {ctx.facts['task_definition'].rpartition('/')[2]}",
            before=f"that of {ctx.facts['deployment']}",
            after="a new one that reads on from the stored cursor",
        )

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Deploy, wait for the rollout, verify that the task runs."""
        service = ctx.environment.events
        yield rollouts.force_new_deployment(service)
        yield rollouts.wait_for_rollout(service)
        yield rollouts.verify_healthy(service, None, key="running")
