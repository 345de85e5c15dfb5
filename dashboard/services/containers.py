"""What the services on ECS have in common: their tasks and deployments, read for all of them in one call."""

from datetime import datetime
from typing import Any

from dashboard.services.base import Asking, Columns, Observation
from novaops.cloud import ecs
from novaops.cloud.errors import OutsideError
from novaops.environment import EcsService, Environment


def ecs_values(asking: Asking, declared: EcsService | None) -> Observation:
    """The tasks and deployments of a declared ECS service."""
    if declared is None:
        raise OutsideError("nova.toml declares no ECS service")
    cluster = declared.cluster
    names = tuple(service.service for service in _declared(asking.environment) if service.cluster == cluster)
    found = asking.once(ecs.describe_services, cluster, names).get(declared.service)
    if found is None:
        raise OutsideError(f"The ECS cluster {cluster} has no service {declared.service}")
    return Observation(
        values={"desired": found.desired, "running": found.running, "pending": found.pending},
        facts={
            "task_definition": found.task_definition,
            "deployments": [_deployment(one) for one in found.deployments],
            "event": found.events[0][1] if found.events else "",
        },
    )


def missing_tasks(new: Columns) -> dict[datetime, float]:
    """How many of the desired tasks are not running."""
    running = new.get("running", {})
    return {at: max(desired - running[at], 0) for at, desired in new.get("desired", {}).items() if at in running}


def _declared(environment: Environment) -> list[EcsService]:
    return [service for service in (environment.api.ecs, environment.events) if service]


def _deployment(one: ecs.Deployment) -> dict[str, Any]:
    return {
        "id": one.id,
        "status": one.status,
        "rollout_state": one.rollout_state,
        "reason": one.reason,
        "task_definition": one.task_definition.rpartition("/")[2],
        "desired": one.desired,
        "running": one.running,
        "failed_tasks": one.failed_tasks,
        "at": one.created_at.isoformat(),
    }
