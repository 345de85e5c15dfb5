"""Restart the API server on EC2, one instance after the other."""

import shlex
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from dashboard import fleets
from novaops.cloud import autoscaling, ssm
from novaops.environment import Environment
from novaops.runbook.action import (
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    FromRun,
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

# By this comment a command whose answer was lost is found again.
COMMENT = "novaops run {run}"
COMMAND_TIMEOUT_S = 300


@register
class RestartApiEc2(Action):
    """Restart the API server's systemd unit over SSM on one instance at a time, each healthy before the next."""

    key = "restart-api-ec2"
    title = "Restart the API server (systemd)"
    service = "api"
    risk = Risk.DISRUPTIVE
    runbook_section = "Routine Maintenance: Restart the API Server"
    iam_permissions = (
        "autoscaling:DescribeAutoScalingGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "ssm:DescribeInstanceInformation",
        "ssm:ListCommandInvocations",
        "ssm:SendCommand",
    )
    expected_s = 240.0
    affects = "One instance at a time does not serve for some seconds; its open requests are cut."
    undo = "Nothing to undo: the same unit runs again. Stopped midway the other instances are as they were."

    def applies(self, environment: Environment) -> bool:
        """Only where the API server runs on EC2."""
        return fleets.on_ec2(environment)

    def look(self, ctx: Context) -> dict[str, Any]:
        """The instances that serve, those that SSM cannot reach, and their health."""
        serving = list(autoscaling.group(ctx.environment, ctx.target).in_service)
        online = ssm.online(ctx.environment, serving)
        offline = [instance for instance in serving if instance not in online]
        return {"instances": serving, "offline": offline, "now": {"states": fleets.states(ctx.environment)}}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """There are instances, SSM reaches each, and somebody else serves meanwhile."""
        instances, offline, states = ctx.facts["instances"], ctx.facts["offline"], ctx.facts["now"]["states"]
        yield Precheck.require(
            bool(instances), f"{there_are(len(instances), 'instance')} in service.", "No instance is in service."
        )
        yield Precheck.require(
            not offline,
            "Systems Manager reaches every instance.",
            f"Systems Manager does not reach {', '.join(offline)}: its agent does not answer there.",
        )
        healthy = [instance for instance in instances if states.get(instance) == "healthy"]
        if len(healthy) < 2:
            sentence = f"Only {there_are(len(healthy), 'instance')} healthy: requests fail while one restarts."
            yield Precheck(state="warning", sentence=sentence)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The unit on each instance."""
        unit = ctx.environment.api.on_ec2.systemd_unit
        for instance in ctx.facts["instances"]:
            yield Change(what=f"{unit} on {instance}", before="running since some time", after="started anew")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """For each instance: restart, wait for the command, wait until it serves. Then all of them together."""
        unit = shlex.quote(ctx.environment.api.on_ec2.systemd_unit)
        for instance in ctx.facts["instances"]:
            yield from _restart(instance, unit)
        yield fleets.verify_serving()


def _restart(instance: str, unit: str) -> Iterator[AnyStep]:
    commands = [f"sudo systemctl restart {unit}", f"systemctl is-active {unit}"]
    yield Effect(
        key=f"restart-{instance}",
        title=f"Restart {unit} on {instance}",
        call=ssm.SEND_COMMAND,
        params={
            "DocumentName": ssm.SHELL,
            "InstanceIds": [instance],
            "Comment": FromRun(COMMENT),
            "TimeoutSeconds": 60,
            "Parameters": {"commands": commands, "executionTimeout": [str(COMMAND_TIMEOUT_S)]},
        },
        repeat=Repeat.ONCE,
        before=lambda _: {},
        observe=lambda ctx, _: _sent(ctx, instance),
        result=lambda answer: {"command": answer["Command"]["CommandId"]},
    )
    yield Wait(
        key=f"command-{instance}",
        title=f"{unit} restarts on {instance}",
        look=lambda ctx: _ran(ctx, instance),
        timeout_s=COMMAND_TIMEOUT_S + 120,
    )
    yield Wait(
        key=f"serves-{instance}",
        title=f"{instance} serves again before the next one is touched",
        look=lambda ctx: _serves(ctx, instance),
        timeout_s=600,
    )


def _sent(ctx: Context, instance: str) -> Seen | None:
    found = ssm.sent_to(ctx.environment, instance, COMMENT.replace("{run}", str(ctx.run_id)))
    sentence = f"The command {found.command} of this run is on {instance}" if found else ""
    return Seen(sentence=sentence, result={"command": found.command}) if found else None


def _ran(ctx: Context, instance: str) -> Progress:
    command = str(ctx.results[f"restart-{instance}"]["command"])
    found = ssm.invocation(ctx.environment, command, instance)
    status = found.status if found else "not listed yet"
    if found and status in ssm.FAILED:
        said = f": {found.output}" if found.output else ""
        sentence = f"The command {status.lower()} on {instance}{said}. The instances after it were not touched."
        return Progress(verdict=Verdict.FAILED, sentence=sentence)
    if status == "Success":
        ended_at = datetime.now(UTC).isoformat()
        return Progress(verdict=Verdict.DONE, sentence="The unit is active.", result={"ended_at": ended_at})
    return Progress(verdict=Verdict.NOT_YET, sentence=f"Systems Manager says {status}")


def _serves(ctx: Context, instance: str) -> Progress:
    """Healthy, and that for as long as an instance needs to be found ill: health checks come late."""
    ended_at = datetime.fromisoformat(str(ctx.results[f"command-{instance}"]["ended_at"]))
    state = fleets.states(ctx.environment).get(instance, "not registered")
    since_s = (datetime.now(UTC) - ended_at).total_seconds()
    sentence = f"The load balancer calls {instance} {state}, {since_s:.0f} s after its restart"
    done = state == "healthy" and since_s >= ctx.environment.verify_for_s
    return Progress(verdict=Verdict.DONE if done else Verdict.NOT_YET, sentence=sentence)
