"""What the services on ECS have in common: their tasks and deployments, read for all of them in one call."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from dashboard.services.base import Asking, Columns, Observation, Series
from dashboard.task_definitions import secret_names, shown, variables
from novaops.cloud import ecs, task_definitions
from novaops.cloud.errors import OutsideError
from novaops.environment import EcsService, Environment

TASK_DEFINITION = "Task definition"
# The environment variables that the runbook speaks of.
MATTER = ("DB_POOL_MAX", "DB_HOST", "RPC_URL", "START_BLOCK")
# A task or two may fail by chance, or before their image is there.
TOO_MANY_FAILED = 3
MOST_STOPPED = 5
DEPLOYED, DEPLOYMENT_FAILED = "deployment completed", "deployment failed"
# What every service on ECS is watched by.
ECS_SERIES = (
    Series(name="desired", unit="tasks", source="ECS"),
    Series(name="running", unit="tasks", source="ECS"),
    Series(name="pending", unit="tasks", source="ECS"),
    Series(name="missing_tasks", unit="tasks", source="ECS"),
    Series(name="failed_deployments", unit="", source="ECS"),
)


def ecs_values(asking: Asking, declared: EcsService | None) -> Observation:
    """The tasks and deployments of a declared ECS service."""
    found = described(asking, declared)
    failed = deployment_failed(found)
    # Asked only where something is wrong: a calm round needs one call for all services.
    ill = failed or found.running < found.desired or found.primary.failed_tasks
    stopped = asking.once(ecs.stopped_tasks, declared.cluster) if declared and ill else ()
    return Observation(
        values={
            "desired": found.desired,
            "running": found.running,
            "pending": found.pending,
            "failed_deployments": float(failed),
        },
        facts={
            "task_definition": found.task_definition,
            "deployments": [_deployment(one) for one in found.deployments],
            "event": found.events[0][1] if found.events else "",
            "stopped": [_stopped(one) for one in stopped if one.service == found.name][:MOST_STOPPED],
        },
    )


def described(asking: Asking, declared: EcsService | None) -> ecs.Service:
    """The service as ECS describes it, all of a cluster in one call. Raises OutsideError where it is not there."""
    if declared is None:
        raise OutsideError("nova.toml declares no ECS service")
    cluster = declared.cluster
    names = tuple(service.service for service in _declared(asking.environment) if service.cluster == cluster)
    found = asking.once(ecs.describe_services, cluster, names).get(declared.service)
    if found is None:
        raise OutsideError(f"The ECS cluster {cluster} has no service {declared.service}")
    return found


def deployment_failed(service: ecs.Service) -> bool:
    """Whether the latest deployment failed or cannot start its tasks.

    A failed one leaves the list when ECS has rolled it back; the service's events tell until another has completed.
    """
    if any(one.rollout_state == "FAILED" or one.failed_tasks >= TOO_MANY_FAILED for one in service.deployments):
        return True
    told = (message for _, message in service.events if DEPLOYED in message or DEPLOYMENT_FAILED in message)
    return DEPLOYMENT_FAILED in next(told, "")


def read_variables(asking: Asking, declared: EcsService | None) -> Observation:
    """The variables that matter in an emergency, as the running revision has them; of addresses only the host."""
    found = described(asking, declared)
    container = _revision(asking.environment, found.task_definition).container(declared.container if declared else "")
    told, secret = variables(container), secret_names(container)
    values = {name: "a secret" if name in secret else shown(name, told.get(name)) for name in MATTER}
    return Observation(facts={"variables": values})


@lru_cache(maxsize=32)
def _revision(environment: Environment, arn: str) -> task_definitions.Definition:
    """A revision never changes: it is asked for once."""
    return task_definitions.describe(environment, arn)


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


def _stopped(one: ecs.StoppedTask) -> dict[str, Any]:
    return {
        "at": one.at.isoformat() if one.at else "",
        "code": one.code,
        "reason": one.reason,
        "exit_codes": list(one.exit_codes),
    }
