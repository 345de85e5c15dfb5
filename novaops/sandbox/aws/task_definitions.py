"""ECS task definitions: registered, described with tags, deregistered; every field of the request is kept."""

import copy
from typing import Any

from novaops.sandbox.aws.ecs_model import Json, store
from novaops.sandbox.aws.wire import AwsError, Params, arn
from novaops.sandbox.world import world

CALLER = arn("sts", "assumed-role/novaops-actor/sandbox").replace(":eu-west-1:", "::")


def register(params: Params) -> Json:
    """Keep a new revision of a family."""
    revisions = store.task_definitions.setdefault(params["family"], [])
    kept = {key: value for key, value in copy.deepcopy(params).items() if key != "tags"}
    revision = len(revisions) + 1
    definition = {
        "volumes": [],
        "placementConstraints": [],
        **kept,
        "containerDefinitions": [_completed(one) for one in kept["containerDefinitions"]],
        "taskDefinitionArn": arn("ecs", f"task-definition/{params['family']}:{revision}"),
        "revision": revision,
        "status": "ACTIVE",
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        "compatibilities": ["EC2", "FARGATE"],
        "registeredAt": world.now(),
        "registeredBy": CALLER,
        "_tags": params.get("tags") or [],
    }
    revisions.append(definition)
    return definition


def _completed(container: Json) -> Json:
    defaults: Json = {"cpu": 0, "portMappings": [], "essential": True, "environment": [], "mountPoints": []}
    return {**defaults, "volumesFrom": [], "systemControls": [], **container}


def find(name: str) -> Json:
    """The definition of a `family`, `family:revision` or ARN. Raises ClientException where there is none."""
    family, _, revision = name.rpartition("/")[2].partition(":")
    revisions = store.task_definitions.get(family, [])
    if revision:
        found = [one for one in revisions if str(one["revision"]) == revision]
    else:
        found = [one for one in revisions if one["status"] == "ACTIVE"][-1:]
    if not found:
        raise AwsError("ClientException", "Unable to describe task definition.")
    return found[0]


def shown(definition: Json) -> Json:
    """The definition as the API tells it."""
    return {key: value for key, value in definition.items() if not key.startswith("_")}


def register_task_definition(params: Params) -> dict[str, Any]:
    """ecs:RegisterTaskDefinition."""
    definition = register(params)
    return {"taskDefinition": shown(definition), "tags": definition["_tags"]}


def describe_task_definition(params: Params) -> dict[str, Any]:
    """ecs:DescribeTaskDefinition; tags only where asked for."""
    definition = find(params["taskDefinition"])
    answer: dict[str, Any] = {"taskDefinition": shown(definition)}
    if "TAGS" in (params.get("include") or []):
        answer["tags"] = definition["_tags"]
    return answer


def deregister_task_definition(params: Params) -> dict[str, Any]:
    """ecs:DeregisterTaskDefinition."""
    definition = find(params["taskDefinition"])
    definition["status"] = "INACTIVE"
    definition["deregisteredAt"] = world.now()
    return {"taskDefinition": shown(definition)}


def list_task_definitions(params: Params) -> dict[str, Any]:
    """ecs:ListTaskDefinitions."""
    prefix, status = params.get("familyPrefix"), params.get("status") or "ACTIVE"
    families = [family for family in store.task_definitions if prefix in (None, family)]
    found = [one for family in families for one in store.task_definitions[family] if one["status"] == status]
    ordered = reversed(found) if params.get("sort") == "DESC" else found
    return {"taskDefinitionArns": [one["taskDefinitionArn"] for one in ordered]}
