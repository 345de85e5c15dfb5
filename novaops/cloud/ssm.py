"""Systems Manager: shell commands on EC2 instances, and what came of them."""

from dataclasses import dataclass
from typing import Any

from novaops.cloud import aws
from novaops.environment import Environment

SEND_COMMAND = aws.Operation("ssm:SendCommand")
SHELL = "AWS-RunShellScript"
FAILED = frozenset({"Failed", "TimedOut", "Cancelled", "Cancelling"})
SHOWN_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """A command on one instance. `status` is Pending, InProgress, Delayed, Success or one of FAILED."""

    command: str
    comment: str
    status: str
    output: str


def online(environment: Environment, instances: list[str]) -> frozenset[str]:
    """Those of the instances whose agent answers: only they can be sent a command."""
    if not instances:
        return frozenset()
    wanted = [{"Key": "InstanceIds", "Values": instances}]
    answer = aws.read(environment, "ssm:DescribeInstanceInformation", Filters=wanted)
    found = answer["InstanceInformationList"]
    return frozenset(one["InstanceId"] for one in found if one["PingStatus"] == "Online")


def sent_to(environment: Environment, instance: str, comment: str) -> Invocation | None:
    """The newest command on the instance with exactly that comment; None where there is none."""
    answer = aws.read(environment, "ssm:ListCommandInvocations", InstanceId=instance, MaxResults=50)
    found = (_invocation(one) for one in answer["CommandInvocations"])
    return next((one for one in found if one.comment == comment), None)


def invocation(environment: Environment, command: str, instance: str) -> Invocation | None:
    """The command on the instance; None while Systems Manager does not list it yet."""
    answer = aws.read(environment, "ssm:ListCommandInvocations", CommandId=command, InstanceId=instance, Details=True)
    return next((_invocation(one) for one in answer["CommandInvocations"]), None)


def _invocation(found: dict[str, Any]) -> Invocation:
    output = " ".join(plugin.get("Output", "").strip() for plugin in found.get("CommandPlugins", []))
    return Invocation(
        command=found["CommandId"],
        comment=found.get("Comment", ""),
        status=found["Status"],
        output=output[:SHOWN_CHARACTERS],
    )
