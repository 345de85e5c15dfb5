"""Scale the API server on EC2 out or in."""

from collections.abc import Iterable
from typing import Any

from dashboard import fleets
from dashboard.actions.scale_api import CountForm
from novaops.cloud import autoscaling
from novaops.environment import Environment
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
)
from novaops.runbook.registry import register
from novaops.words import counted, there_are


class InstancesForm(CountForm):
    """How many instances there shall be."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["count"].label = "Number of instances"


@register
class ScaleApiEc2(Action):
    """Set the desired capacity of the API server's Auto Scaling group, within its bounds."""

    key = "scale-api-ec2"
    title = "Scale the API server's instances"
    service = "api"
    risk = Risk.DISRUPTIVE
    runbook_section = "Common Alert Runbooks: High CPU"
    iam_permissions = (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:SetDesiredCapacity",
        "elasticloadbalancing:DescribeTargetHealth",
    )
    expected_s = 240.0
    affects = "Scaling out disturbs nobody and costs more; scaling in drains instances that serve."
    undo = "Scale back to the number of before."
    form = InstancesForm

    def applies(self, environment: Environment) -> bool:
        """Only where the API server runs on EC2."""
        return fleets.on_ec2(environment)

    def look(self, ctx: Context) -> dict[str, Any]:
        """How many instances are wanted now, and the bounds."""
        found = autoscaling.group(ctx.environment, ctx.target)
        return {"desired": found.desired, "minimum": found.minimum, "maximum": found.maximum}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """The number is another one, and within the group's bounds, beyond which AWS refuses."""
        count, facts = ctx.params["count"], ctx.facts
        lowest, highest = facts["minimum"], facts["maximum"]
        yield Precheck.require(
            count != facts["desired"],
            f"Now {there_are(facts['desired'], 'instance')} wanted.",
            f"{there_are(count, 'instance')} wanted already.",
        )
        yield Precheck.require(
            lowest <= count <= highest,
            f"{count} is within the bounds of the group ({lowest} to {highest}).",
            f"The group keeps {lowest} to {highest} instances and AWS refuses {count}: choose within.",
        )

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The number of instances."""
        yield Change(what="Instances", before=str(ctx.facts["desired"]), after=str(ctx.params["count"]))

    def inverse(self, ctx: Context) -> Inverse | None:
        """The number of instances of before."""
        before = ctx.facts["desired"]
        sentence = f"Scale {ctx.target} back to {counted(before, 'instance')}"
        return Inverse(action=self.key, params={"count": before}, sentence=sentence)

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Set the number, then see that many healthy behind the load balancer."""
        count = ctx.params["count"]
        yield Effect(
            key="scale",
            title=f"Want {counted(count, 'instance')} in {ctx.target}",
            call=autoscaling.SET_DESIRED_CAPACITY,
            params={"AutoScalingGroupName": ctx.target, "DesiredCapacity": count, "HonorCooldown": False},
            repeat=Repeat.CONVERGING,
            before=lambda now: {"desired": _desired(now)},
            observe=lambda now, _before: _seen(now, count),
        )
        yield fleets.verify_serving()


def _desired(ctx: Context) -> int:
    return autoscaling.group(ctx.environment, ctx.target).desired


def _seen(ctx: Context, count: int) -> Seen | None:
    return Seen(sentence=f"{there_are(count, 'instance')} wanted") if _desired(ctx) == count else None
