"""What the simulated ECS holds: clusters' services, their deployments and tasks, in the words of the API."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from novaops.sandbox.aws.wire import arn
from novaops.sandbox.world import world

Json = dict[str, Any]
EVENTS_KEPT = 100
STOPPED_TASKS_KEPT = 200


@dataclass
class Task:
    """One task; `healthy` is what its target group (or, without one, its running) says."""

    cluster: str
    id: str
    service: str
    deployment_id: str
    task_definition: Json
    created_at: datetime
    ip: str
    zone: str
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    healthy: bool = False
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    exit_code: int | None = None

    @property
    def arn(self) -> str:
        return arn("ecs", f"task/{self.cluster}/{self.id}")

    @property
    def live(self) -> bool:
        """Whether the scheduler means it to run."""
        return self.desired_status == "RUNNING"

    def crashes(self) -> bool:
        """Whether its container ends by itself soon after starting: an image tagged `broken` does."""
        return any(str(c.get("image", "")).endswith(":broken") for c in self.task_definition["containerDefinitions"])


@dataclass
class Deployment:
    """One deployment of a service: PRIMARY, or ACTIVE until its tasks are gone."""

    id: str
    task_definition: Json
    created_at: datetime
    updated_at: datetime
    status: str = "PRIMARY"
    rollout_state: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    settling: bool = False


@dataclass
class ServiceDeployment:
    """What list_service_deployments tells of one rollout, its rollback included."""

    arn: str
    deployment_id: str
    created_at: datetime
    updated_at: datetime
    source_revision: str | None
    target_revision: str
    status: str = "IN_PROGRESS"
    reason: str = ""
    finished_at: datetime | None = None
    stopped_at: datetime | None = None
    rollback: Json | None = None
    failures: int = 0


@dataclass
class Service:
    """One ECS service. `settings` are the fields of create_service that are only told back."""

    cluster: str
    name: str
    desired: int
    created_at: datetime
    configuration: Json
    target_group_arn: str | None
    settings: Json
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    rollouts: list[ServiceDeployment] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    good_task_definition: Json | None = None
    # What each service revision was, by its ARN.
    revisions: dict[str, Json] = field(default_factory=dict)
    steady: bool = False

    @property
    def arn(self) -> str:
        return arn("ecs", f"service/{self.cluster}/{self.name}")

    @property
    def primary(self) -> Deployment:
        return next(one for one in self.deployments if one.status == "PRIMARY")

    def of(self, deployment: Deployment) -> list[Task]:
        """The tasks of a deployment that have not stopped yet."""
        return [task for task in self.tasks if task.deployment_id == deployment.id and task.last_status != "STOPPED"]

    def unstopped(self) -> list[Task]:
        """Every task that has not stopped yet."""
        return [task for task in self.tasks if task.last_status != "STOPPED"]

    def running(self) -> list[Task]:
        """The tasks whose containers run, those being stopped included."""
        return [task for task in self.tasks if task.last_status == "RUNNING"]

    @property
    def most(self) -> int:
        """How many tasks may be there at once during a rollout."""
        return math.floor(self.desired * int(self.configuration["maximumPercent"]) / 100)

    @property
    def fewest(self) -> int:
        """How many healthy tasks a rollout must leave."""
        return math.ceil(self.desired * int(self.configuration["minimumHealthyPercent"]) / 100)

    @property
    def breaker_threshold(self) -> int:
        """Failed tasks that trip the circuit breaker: half of the desired count within 3 to 200 (FACTS D)."""
        return min(200, max(3, math.ceil(self.desired / 2)))

    def say(self, message: str) -> None:
        """Add a service event; the newest hundred are kept."""
        event = {"id": world.hex_id(32), "createdAt": world.now(), "message": f"(service {self.name}) {message}"}
        self.events.insert(0, event)
        del self.events[EVENTS_KEPT:]

    def forget_old_tasks(self) -> None:
        """Stopped tasks are kept for a while only."""
        stopped = [task for task in self.tasks if task.last_status == "STOPPED"]
        for task in stopped[:-STOPPED_TASKS_KEPT]:
            self.tasks.remove(task)


@dataclass
class Store:
    """Everything the simulated ECS knows."""

    clusters: dict[str, Json] = field(default_factory=dict)
    services: dict[tuple[str, str], Service] = field(default_factory=dict)
    task_definitions: dict[str, list[Json]] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget all."""
        self.clusters.clear()
        self.services.clear()
        self.task_definitions.clear()

    def tasks(self) -> list[Task]:
        """The tasks of every service."""
        return [task for service in self.services.values() for task in service.tasks]


store = Store()
