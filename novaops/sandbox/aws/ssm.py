"""Systems Manager's Run Command on the simulated EC2 instances: it takes time, and says what a real one would."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from moto.ssm.responses import SimpleSystemManagerResponse

from novaops.sandbox.aws import elbv2, fleet
from novaops.sandbox.aws.query import Document, uuid
from novaops.sandbox.aws.wire import AwsError, Params, attach
from novaops.sandbox.world import world

DOCUMENT = "AWS-RunShellScript"
DELIVERY_S = 3


@dataclass(frozen=True)
class Line:
    """What a shell command that matches `pattern` does, and how many simulated seconds that takes.

    While one that `restarts` the API server runs, its target fails its health checks.
    """

    pattern: str
    output: str = ""
    error: str = ""
    code: int = 0
    takes_s: float = 5
    restarts: bool = False


SCRIPT = (
    Line(r"(sudo )?systemctl restart nova-api", takes_s=20, restarts=True),
    Line(r"(sudo )?systemctl is-active nova-api", output="active\n", takes_s=1),
    Line(r"(sudo )?systemctl show nova-api .*", output="ActiveState=active\nSubState=running\n", takes_s=1),
    Line(r"curl .*", output='{"status":"ok"}\n', takes_s=2),
)
"""What the instances know; anything else is not found."""
script: list[Line] = []
"""What a scenario puts before SCRIPT."""


@dataclass
class Invocation:
    """One command on one instance."""

    instance: str
    status: str = "Pending"
    output: str = ""
    error: str = ""
    code: int = -1
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def end(self, code: int) -> None:
        self.status, self.code, self.ended_at = ("Success" if code == 0 else "Failed"), code, world.now()


@dataclass
class Command:
    """One SendCommand: its lines run one after the other on each instance."""

    id: str
    lines: list[str]
    comment: str
    invocations: list[Invocation]
    requested_at: datetime = field(default_factory=world.now)

    @property
    def status(self) -> str:
        states = {invocation.status for invocation in self.invocations}
        if states <= {"Success", "Failed"}:
            return "Failed" if "Failed" in states else "Success"
        return "Pending" if states == {"Pending"} else "InProgress"

    def described(self) -> Document:
        return {
            "CommandId": self.id,
            "DocumentName": DOCUMENT,
            "Comment": self.comment,
            "Parameters": {"commands": self.lines},
            "InstanceIds": [invocation.instance for invocation in self.invocations],
            "RequestedDateTime": self.requested_at,
            "Status": self.status,
            "StatusDetails": self.status,
            "TargetCount": len(self.invocations),
            "CompletedCount": sum(invocation.ended_at is not None for invocation in self.invocations),
            "ErrorCount": sum(invocation.status == "Failed" for invocation in self.invocations),
        }


commands: dict[str, Command] = {}


def send_command(params: Params) -> Document:
    """SendCommand: refused for another document and for instances that are not there; otherwise Pending."""
    if params["DocumentName"] != DOCUMENT:
        raise AwsError("InvalidDocument", f"Document {params['DocumentName']} does not exist in the sandbox.")
    instances = params.get("InstanceIds") or []
    if not instances or set(instances) - fleet.in_service():
        raise AwsError("InvalidInstanceId", "Instances not in a valid state for account")
    lines = (params.get("Parameters") or {}).get("commands") or []
    if not lines:
        raise AwsError("InvalidParameters", "The parameter commands is required.")
    identifier = uuid()
    invocations = [Invocation(instance) for instance in instances]
    command = commands[identifier] = Command(identifier, lines, params.get("Comment", ""), invocations)
    for invocation in invocations:
        world.later(DELIVERY_S, lambda invocation=invocation: _begin(invocation, lines))  # type: ignore[misc]
    return {"Command": command.described()}


def list_commands(params: Params) -> Document:
    """ListCommands, newest first."""
    wanted = params.get("CommandId")
    found = [command for command in reversed(commands.values()) if wanted in (None, command.id)]
    return {"Commands": [command.described() for command in found]}


def list_command_invocations(params: Params) -> Document:
    """ListCommandInvocations: output only with Details."""
    wanted, instance = params.get("CommandId"), params.get("InstanceId")
    found = [
        _listed(command, invocation, details=bool(params.get("Details")))
        for command in reversed(commands.values())
        for invocation in command.invocations
        if wanted in (None, command.id) and instance in (None, invocation.instance)
    ]
    return {"CommandInvocations": found}


def get_command_invocation(params: Params) -> Document:
    """GetCommandInvocation: does not exist until the command is delivered, as the real one, too, is late."""
    command = commands.get(params["CommandId"])
    for invocation in command.invocations if command else []:
        if invocation.instance == params["InstanceId"] and invocation.status != "Pending":
            return _detailed(params["CommandId"], invocation)
    raise AwsError("InvocationDoesNotExist", "")


def describe_instance_information(_: Params) -> Document:
    """DescribeInstanceInformation: every instance in service has an agent that answers."""
    agent = {"PingStatus": "Online", "PlatformType": "Linux"}
    return {"InstanceInformationList": [{"InstanceId": name, **agent} for name in sorted(fleet.in_service())]}


def install() -> None:
    """Answer in moto's place; parameters are moto's own."""
    attach(SimpleSystemManagerResponse, send_command, list_commands, list_command_invocations)
    attach(SimpleSystemManagerResponse, get_command_invocation, describe_instance_information)


def reset() -> None:
    """Forget every command and what a scenario scripted."""
    commands.clear()
    script.clear()


def seed() -> None:
    """Nothing was ever run."""


def _begin(invocation: Invocation, lines: list[str]) -> None:
    invocation.status, invocation.started_at = "InProgress", world.now()
    _run(invocation, lines)


def _run(invocation: Invocation, lines: list[str]) -> None:
    """Run the first line, and come back for the others when it is done. The last one's exit code is the script's."""
    line = _known(lines[0].strip())
    if line.restarts:
        elbv2.unhealthy(fleet.TARGETS, invocation.instance)

    def done() -> None:
        if line.restarts and line.code == 0:
            world.later(fleet.HEALTHY_S, lambda: elbv2.healthy(fleet.TARGETS, invocation.instance))
        invocation.output += line.output
        invocation.error += line.error
        if lines[1:]:
            _run(invocation, lines[1:])
        else:
            invocation.end(line.code)

    world.later(line.takes_s, done)


def _known(text: str) -> Line:
    known = (line for line in (*script, *SCRIPT) if re.fullmatch(line.pattern, text))
    return next(known, Line("", error=f"sh: {text.split(' ')[0]}: command not found\n", code=127, takes_s=1))


def _listed(command: Command, invocation: Invocation, *, details: bool) -> Document:
    plugin = {"Name": "aws:runShellScript", "Status": invocation.status, "ResponseCode": invocation.code}
    return {
        "CommandId": command.id,
        "InstanceId": invocation.instance,
        "Comment": command.comment,
        "DocumentName": DOCUMENT,
        "RequestedDateTime": command.requested_at,
        "Status": invocation.status,
        "StatusDetails": invocation.status,
        "CommandPlugins": [{**plugin, "Output": invocation.output + invocation.error}] if details else [],
    }


def _detailed(command: str, invocation: Invocation) -> Document:
    return {
        "CommandId": command,
        "InstanceId": invocation.instance,
        "DocumentName": DOCUMENT,
        "PluginName": "aws:runShellScript",
        "ResponseCode": invocation.code,
        "Status": invocation.status,
        "StatusDetails": invocation.status,
        "StandardOutputContent": invocation.output if invocation.ended_at else "",
        "StandardErrorContent": invocation.error if invocation.ended_at else "",
        "ExecutionStartDateTime": invocation.started_at.isoformat() if invocation.started_at else "",
        "ExecutionEndDateTime": invocation.ended_at.isoformat() if invocation.ended_at else "",
    }
