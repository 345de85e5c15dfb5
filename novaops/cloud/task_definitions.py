"""ECS task definitions: read with their tags, listed, and registered anew as a copy with changes (FACTS D)."""

import copy
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.session import get_session

from novaops.cloud import aws, secrets
from novaops.cloud.errors import Refused
from novaops.environment import Environment

REGISTER = aws.Operation("ecs:RegisterTaskDefinition")
# Names the run that registered a revision, so that a registration whose answer was lost is found again.
RUN_TAG = "novaops:run"
# Tags that AWS itself sets cannot be passed back.
RESERVED = "aws:"
# Registrations of other people that may come between sending and looking.
LOOKED_THROUGH = 5

Fields = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One revision. `fields` are as ECS tells them; they may hold secrets in clear, so they are never shown."""

    arn: str
    family: str
    revision: int
    active: bool
    fields: Fields = field(repr=False)
    tags: dict[str, str] = field(default_factory=dict)

    def container(self, name: str) -> Fields:
        """The container of that name. Raises Refused where the revision has none."""
        return _container(self.fields, name)


def describe(environment: Environment, name: str) -> Definition:
    """The revision of that ARN or `family:revision`. Raises an OutsideError."""
    answer = aws.read(environment, "ecs:DescribeTaskDefinition", taskDefinition=name, include=["TAGS"])
    found = answer["taskDefinition"]
    return Definition(
        arn=found["taskDefinitionArn"],
        family=found["family"],
        revision=found["revision"],
        active=found["status"] == "ACTIVE",
        fields=found,
        tags={tag["key"]: tag["value"] for tag in answer.get("tags", [])},
    )


def newest(environment: Environment, family: str, most: int = 100) -> tuple[str, ...]:
    """The ARNs of the family's ACTIVE revisions, newest first."""
    answer = aws.read(
        environment,
        "ecs:ListTaskDefinitions",
        familyPrefix=family,
        status="ACTIVE",
        sort="DESC",
        maxResults=most,
    )
    return tuple(answer["taskDefinitionArns"])


def registered_by(environment: Environment, family: str, run_id: int, known: list[str]) -> str | None:
    """The ARN of the revision that the run registered, among those that were not `known` before; None where none is."""
    for arn in newest(environment, family, LOOKED_THROUGH):
        if arn not in known and describe(environment, arn).tags.get(RUN_TAG) == str(run_id):
            return arn
    return None


@dataclass(frozen=True)
class RegisterCopy:
    """Registers a copy of a revision with changed variables of one container; a Sender.

    Its parameters say what changes and never hold the rest of the definition, which may have secrets in clear:
    `taskDefinition`, `container`, `variables` (name -> value), `declared` (name -> key of nova.toml's events table, for
    addresses that may carry a key), `hosts` (name -> [host, port], put into the address that is there), `without`
    (names) and `tags`.
    """

    name: str = REGISTER.name

    def __call__(
        self, environment: Environment, params: dict[str, Any], *, fence: Callable[[], bool], run_id: int
    ) -> dict[str, Any]:
        """Read the revision, which never changes, and send its changed copy exactly once."""
        source = describe(environment, params["taskDefinition"])
        declared = {name: str(getattr(environment.events, key)) for name, key in params.get("declared", {}).items()}
        changed = with_variables(
            source.fields,
            params["container"],
            {**params.get("variables", {}), **declared, **_pointed(source, params)},
            params.get("without", ()),
        )
        tags = {**source.tags, **params.get("tags", {})}
        return REGISTER(environment, registration(changed, tags), fence=fence, run_id=run_id)

    def command_line(self, params: dict[str, Any]) -> str:
        """The same by AWS CLI and jq."""
        source = f"--task-definition {shlex.quote(params['taskDefinition'])} --include TAGS --output json"
        made = shlex.quote(_jq(params))
        return (
            f"aws ecs describe-task-definition {source} | jq {made} > copy.json"
            " && aws ecs register-task-definition --cli-input-json file://copy.json"
        )


REGISTER_COPY = RegisterCopy()


def _pointed(source: Definition, params: dict[str, Any]) -> dict[str, str]:
    """The variables that are to point at another host, with all else of their values as it is."""
    there = {entry["name"]: entry.get("value", "") for entry in source.container(params["container"])["environment"]}
    hosts = params.get("hosts", {})
    missing = [name for name in hosts if name not in there]
    if missing:
        raise Refused(f"{source.family}:{source.revision} has no variable {missing[0]}", code="MISSING")
    return {name: secrets.pointed(there[name], host, port) for name, (host, port) in hosts.items()}


def with_variables(
    fields: Mapping[str, Any], container: str, variables: Mapping[str, str], without: tuple[str, ...] | list[str] = ()
) -> Fields:
    """A copy whose container has these variables and not those; everything else stays, the order too."""
    changed = copy.deepcopy(dict(fields))
    found = _container(changed, container)
    kept = [entry for entry in found.get("environment", []) if entry["name"] not in without]
    names = [entry["name"] for entry in kept]
    replaced = [{**entry, "value": variables.get(entry["name"], entry["value"])} for entry in kept]
    added = [{"name": name, "value": value} for name, value in variables.items() if name not in names]
    found["environment"] = replaced + added
    return changed


def registration(fields: Mapping[str, Any], tags: Mapping[str, str]) -> Fields:
    """What RegisterTaskDefinition accepts of a described revision, and its tags, which would be lost (FACTS D)."""
    request = {key: value for key, value in fields.items() if key in _accepted() and key != "tags"}
    own = [{"key": key, "value": value} for key, value in tags.items() if not key.startswith(RESERVED)]
    return {**request, "tags": own} if own else request


@cache
def _accepted() -> frozenset[str]:
    """The parameters that this version of the API takes, so that a new field is not lost."""
    shape = get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape
    return frozenset(shape.members)


def _container(fields: Mapping[str, Any], name: str) -> Fields:
    for container in fields["containerDefinitions"]:
        if container["name"] == name:
            found: Fields = container
            return found
    raise Refused(f"{fields['family']}:{fields['revision']} has no container {name}", code="MISSING")


def _jq(params: dict[str, Any]) -> str:
    declared = {name: f"<events.{key} of nova.toml>" for name, key in params.get("declared", {}).items()}
    hosts = {name: f"<as it is, at {host}:{port}>" for name, (host, port) in params.get("hosts", {}).items()}
    variables = {**params.get("variables", {}), **declared, **hosts}
    gone = json.dumps([*variables, *params.get("without", ())])
    added = json.dumps([{"name": name, "value": value} for name, value in variables.items()])
    tags = json.dumps([{"key": key, "value": value} for key, value in params.get("tags", {}).items()])
    told = ".taskDefinitionArn, .revision, .status, .requiresAttributes, .compatibilities, .registeredAt, .registeredBy"
    container = f"(.containerDefinitions[] | select(.name == {json.dumps(params['container'])}) | .environment)"
    return (
        f"(.tags // []) as $tags | .taskDefinition | del({told})"
        f" | {container} |= (map(select(.name | IN({gone}[]) | not)) + {added})"
        f" | .tags = ($tags | map(select(.key != {json.dumps(RUN_TAG)}))) + {tags}"
    )
