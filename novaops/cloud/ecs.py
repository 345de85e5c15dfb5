"""ECS: services, deployments and the calls that change them (FACTS D)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from novaops.cloud import aws
from novaops.cloud.errors import Refused
from novaops.environment import Environment

# As many as DescribeServiceRevisions takes at once.
KEPT_REVISIONS = 20
UPDATE_SERVICE = aws.Operation("ecs:UpdateService")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment of a service; `rollout_state` is IN_PROGRESS, COMPLETED or FAILED."""

    id: str
    status: str
    rollout_state: str
    reason: str
    task_definition: str
    desired: int
    running: int
    pending: int
    failed_tasks: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Service:
    """An ECS service as DescribeServices tells it. `events` are (time, message), newest first."""

    name: str
    status: str
    task_definition: str
    desired: int
    running: int
    pending: int
    deployments: tuple[Deployment, ...]
    events: tuple[tuple[datetime, str], ...]

    @property
    def primary(self) -> Deployment:
        """The deployment that ECS is bringing or has brought out."""
        return next(deployment for deployment in self.deployments if deployment.status == "PRIMARY")

    def deployment(self, deployment_id: str) -> Deployment | None:
        """The deployment of that id while the service still lists it."""
        return next((one for one in self.deployments if one.id == deployment_id), None)


def describe_service(environment: Environment, cluster: str, service: str) -> Service:
    """The service now. Raises Refused where it does not exist: ECS reports that with HTTP 200 (FACTS D)."""
    answer = aws.read(environment, "ecs:DescribeServices", cluster=cluster, services=[service])
    found = next(iter(answer["services"]), None)
    if found is None:
        raise Refused(f"The ECS cluster {cluster} has no service {service}", code="MISSING")
    return _service(found)


def describe_services(environment: Environment, cluster: str, services: tuple[str, ...]) -> dict[str, Service]:
    """Those of up to ten services that exist, by name, in one call."""
    answer = aws.read(environment, "ecs:DescribeServices", cluster=cluster, services=list(services))
    return {found["serviceName"]: _service(found) for found in answer["services"]}


@dataclass(frozen=True, kw_only=True)
class StoppedTask:
    """A task that ECS stopped or that ended, and why. ECS keeps these for an hour at least."""

    service: str
    at: datetime | None
    code: str
    reason: str
    exit_codes: tuple[int, ...]


def stopped_tasks(environment: Environment, cluster: str) -> tuple[StoppedTask, ...]:
    """Up to a hundred stopped tasks of the cluster's services, the latest first."""
    arns = aws.read(environment, "ecs:ListTasks", cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    if not arns:
        return ()
    tasks = aws.read(environment, "ecs:DescribeTasks", cluster=cluster, tasks=arns)["tasks"]
    found = (_stopped(task) for task in tasks)
    return tuple(sorted(found, key=lambda task: task.at.timestamp() if task.at else 0.0, reverse=True))


def _stopped(found: dict[str, Any]) -> StoppedTask:
    return StoppedTask(
        service=found.get("group", "").removeprefix("service:"),
        at=found.get("stoppedAt") or found.get("stoppingAt"),
        code=found.get("stopCode", ""),
        reason=found.get("stoppedReason", ""),
        exit_codes=tuple(one["exitCode"] for one in found.get("containers", []) if "exitCode" in one),
    )


def _service(found: dict[str, Any]) -> Service:
    return Service(
        name=found["serviceName"],
        status=found["status"],
        task_definition=found["taskDefinition"],
        desired=found["desiredCount"],
        running=found["runningCount"],
        pending=found["pendingCount"],
        deployments=tuple(_deployment(one) for one in found["deployments"]),
        events=tuple((event["createdAt"], event["message"]) for event in found.get("events", [])),
    )


def _deployment(found: dict[str, Any]) -> Deployment:
    return Deployment(
        id=found["id"],
        status=found["status"],
        rollout_state=found.get("rolloutState", ""),
        reason=found.get("rolloutStateReason", ""),
        task_definition=found["taskDefinition"],
        desired=found["desiredCount"],
        running=found["runningCount"],
        pending=found["pendingCount"],
        failed_tasks=found.get("failedTasks", 0),
        created_at=found["createdAt"],
    )


def primary_id(service: dict[str, Any]) -> str:
    """The id of the PRIMARY deployment in a service as an ECS answer holds it."""
    return _service(service).primary.id


def deployed_before(environment: Environment, cluster: str, service: str) -> tuple[str, ...]:
    """The ARNs of the task definitions that the service ran successfully, the newest deployment first.

    ECS keeps service deployments for 90 days; the revision "one lower" may never have been deployed (FACTS D).
    """
    listed = aws.read(
        environment,
        "ecs:ListServiceDeployments",
        cluster=cluster,
        service=service,
        status=["SUCCESSFUL"],
        maxResults=KEPT_REVISIONS,
    )
    targets = [one["targetServiceRevisionArn"] for one in listed["serviceDeployments"]]
    if not targets:
        return ()
    told = aws.read(environment, "ecs:DescribeServiceRevisions", serviceRevisionArns=targets)
    ran = {revision["serviceRevisionArn"]: revision["taskDefinition"] for revision in told["serviceRevisions"]}
    return tuple(ran[target] for target in targets if target in ran)
