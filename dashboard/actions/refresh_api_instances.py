"""Replace the API server's EC2 instances."""

from collections.abc import Iterable
from typing import Any

from dashboard import fleets
from novaops.cloud import autoscaling
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
    Wait,
)
from novaops.runbook.registry import register
from novaops.words import there_are

TIMEOUT_S = 2 * 3600.0


@register
class RefreshApiInstances(Action):
    """Replace every instance of the API server's Auto Scaling group by an instance refresh."""

    key = "refresh-api-instances"
    title = "Replace the API server's instances"
    service = "api"
    risk = Risk.DISRUPTIVE
    runbook_section = "Common Alert Runbooks: High CPU"
    iam_permissions = (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
        "autoscaling:StartInstanceRefresh",
        "elasticloadbalancing:DescribeTargetHealth",
    )
    expected_s = 900.0
    affects = "Instances are replaced while the others serve; what was only on their disks is lost."
    undo = "Nothing to undo: the new instances come from the same launch template."

    def applies(self, environment: Environment) -> bool:
        """Only where the API server runs on EC2."""
        return fleets.on_ec2(environment)

    def look(self, ctx: Context) -> dict[str, Any]:
        """The instances, and a refresh that is in progress already."""
        found = autoscaling.group(ctx.environment, ctx.target)
        active = [one.id for one in autoscaling.refreshes(ctx.environment, ctx.target) if one.active]
        return {"instances": list(found.in_service), "desired": found.desired, "active": active}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """There are instances, and no other refresh is in progress: AWS allows one at a time."""
        serving, desired, active = len(ctx.facts["instances"]), ctx.facts["desired"], ctx.facts["active"]
        yield Precheck.require(
            serving > 0, f"{there_are(serving, 'instance')} in service.", "No instance is in service."
        )
        yield Precheck.require(
            not active,
            "No other instance refresh is in progress.",
            f"The instance refresh {', '.join(active)} is still in progress: wait for it to end.",
        )
        if 0 < serving < desired:
            sentence = f"Only {serving} of {desired} instances are in service: the refresh waits for the others."
            yield Precheck(state="warning", sentence=sentence)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The instances."""
        yield Change(what="Instances", before=", ".join(ctx.facts["instances"]), after="as many new ones")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Start the refresh, wait for it by its id, see every instance healthy."""
        yield Effect(
            key="refresh",
            title=f"Start an instance refresh of {ctx.target}",
            call=autoscaling.START_INSTANCE_REFRESH,
            params={"AutoScalingGroupName": ctx.target},
            repeat=Repeat.ONCE,
            before=lambda now: {"refreshes": [one.id for one in autoscaling.refreshes(now.environment, now.target)]},
            observe=_started,
            result=lambda answer: {"refresh": answer["InstanceRefreshId"]},
        )
        yield Wait(key="replaced", title="Instances are replaced", look=_replaced, timeout_s=TIMEOUT_S)
        yield fleets.verify_serving()


def _started(ctx: Context, before: dict[str, Any]) -> Seen | None:
    found = autoscaling.refreshes(ctx.environment, ctx.target)
    new = next((one for one in found if one.id not in before["refreshes"]), None)
    sentence = f"An instance refresh is there that was not there before: {new.id}" if new else ""
    return Seen(sentence=sentence, result={"refresh": new.id}) if new else None


def _replaced(ctx: Context) -> Progress:
    wanted = ctx.results["refresh"]["refresh"]
    found = next((one for one in autoscaling.refreshes(ctx.environment, ctx.target) if one.id == wanted), None)
    if found is None:
        return Progress(verdict=Verdict.NOT_YET, sentence=f"AWS does not list the refresh {wanted} yet")
    reason = f": {found.reason}" if found.reason else ""
    if found.status == "Successful":
        return Progress(verdict=Verdict.DONE, sentence="AWS calls the instance refresh successful.")
    if not found.active:
        return Progress(verdict=Verdict.FAILED, sentence=f"AWS calls the instance refresh {found.status}{reason}.")
    return Progress(verdict=Verdict.NOT_YET, sentence=f"{found.status}{reason}", percent=min(99, found.percent))
