"""Scale the API server on ECS out or in."""

from collections.abc import Iterable
from typing import Any

from django import forms

from novaops.cloud import autoscaling, ecs
from novaops.environment import EcsService, Environment
from novaops.runbook import rollouts
from novaops.runbook.action import (
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    Inverse,
    Precheck,
    Repeat,
    Risk,
    Seen,
    Verify,
)
from novaops.runbook.registry import register
from novaops.words import counted, there_are


class CountForm(forms.Form):
    """How many tasks there shall be: always the whole number, never a difference."""

    count = forms.IntegerField(min_value=1, max_value=50, label="Number of tasks", help_text="From 1 to 50.")


@register
class ScaleApi(Action):
    """Set the number of API tasks, within the bounds of Application Auto Scaling."""

    key = "scale-api"
    title = "Scale the API server"
    service = "api"
    risk = Risk.DISRUPTIVE
    runbook_section = "Common Alert Runbooks: High CPU"
    iam_permissions = (
        "ecs:UpdateService",
        "ecs:DescribeServices",
        "application-autoscaling:DescribeScalableTargets",
        "elasticloadbalancing:DescribeTargetHealth",
    )
    expected_s = 120.0
    affects = "Scaling out disturbs nobody and costs more; scaling in drains tasks that serve."
    undo = "Scale back to the number of before."
    form = CountForm

    def applies(self, environment: Environment) -> bool:
        """Only where the API server runs on ECS."""
        return environment.api.kind == "ecs"

    def look(self, ctx: Context) -> dict[str, Any]:
        """How many tasks are wanted now, and the bounds."""
        service = ctx.environment.api.on_ecs
        found = ecs.describe_service(ctx.environment, service.cluster, service.service)
        bounds = autoscaling.ecs_bounds(ctx.environment, service.cluster, service.service)
        limits = {"minimum": bounds.minimum, "maximum": bounds.maximum} if bounds else {}
        return {"status": found.status, "desired": found.desired, **limits}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """The number is another one, and one that Auto Scaling will not take back."""
        count, facts = ctx.params["count"], ctx.facts
        yield Precheck.require(facts["status"] == "ACTIVE", "The service is active.", "The service is not active.")
        yield Precheck.require(
            count != facts["desired"],
            f"Now {there_are(facts['desired'], 'task')} wanted.",
            f"{there_are(count, 'task')} wanted already.",
        )
        if "minimum" not in facts:
            return
        lowest, highest = facts["minimum"], facts["maximum"]
        yield Precheck.require(
            lowest <= count <= highest,
            f"{count} is within the bounds of Auto Scaling ({lowest} to {highest}).",
            f"Auto Scaling keeps {lowest} to {highest} tasks and would take {count} back: choose within.",
        )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The number of tasks."""
        yield Change(what="Tasks", before=str(ctx.facts["desired"]), after=str(ctx.params["count"]))

    def inverse(self, ctx: Context) -> Inverse | None:
        """The number of tasks of before."""
        before = ctx.facts["desired"]
        sentence = f"Scale {ctx.target} back to {counted(before, 'task')}"
        return Inverse(action=self.key, params={"count": before}, sentence=sentence)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Set the number, then see that many healthy behind the load balancer."""
        service, count = ctx.environment.api.on_ecs, ctx.params["count"]
        yield Effect(
            key="scale",
            title=f"Want {counted(count, 'task')} of {service.service}",
            call=ecs.UPDATE_SERVICE,
            params={"cluster": service.cluster, "service": service.service, "desiredCount": count},
            repeat=Repeat.CONVERGING,
            before=lambda now: {"desired": _desired(now, service)},
            observe=lambda now, _before: _seen(now, service, count),
        )
        yield Verify(
            key="healthy",
            title="Every task is healthy behind the load balancer",
            look=lambda now: rollouts.tasks_serve(now, service, now.environment.api.target_group_arn),
            timeout_s=600,
        )


def _desired(ctx: Context, service: EcsService) -> int:
    return ecs.describe_service(ctx.environment, service.cluster, service.service).desired


def _seen(ctx: Context, service: EcsService, count: int) -> Seen | None:
    return Seen(sentence=f"{there_are(count, 'task')} wanted") if _desired(ctx, service) == count else None
