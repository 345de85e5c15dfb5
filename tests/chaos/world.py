"""The storm's AWS without its HTTP: services, snapshots, and the ledger of every change that was made to them."""

import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Any

ROLLOUT_S = 0.3
LATE_S = {"late-drop": 1.5, "very-late-drop": 7.0}


@dataclass
class Deployment:
    """A deployment of a service; it is completed after ROLLOUT_S."""

    id: str
    at: float
    desired: int

    def told(self, *, primary: bool) -> dict[str, Any]:
        done = time.time() > self.at + ROLLOUT_S
        return {
            "id": self.id,
            "status": "PRIMARY" if primary else "ACTIVE",
            "rolloutState": "COMPLETED" if done else "IN_PROGRESS",
            "taskDefinition": "arn:aws:ecs:eu-west-1:123456789012:task-definition/nova-api:1",
            "desiredCount": self.desired,
            "runningCount": self.desired if done else 0,
            "pendingCount": 0 if done else self.desired,
            "failedTasks": 0,
            "createdAt": self.at,
        }


@dataclass
class Service:
    """An ECS service: what it is, and until `hidden_until` what reading it still shows."""

    desired: int = 1
    deployments: list[Deployment] = field(default_factory=list)
    hidden: tuple[int, list[Deployment]] | None = None
    hidden_until: float = 0.0

    def told(self, name: str) -> dict[str, Any]:
        desired, deployments = self.desired, self.deployments
        if self.hidden is not None and time.time() < self.hidden_until:
            desired, deployments = self.hidden
        listed = [one.told(primary=at == 0) for at, one in enumerate(deployments[:2])]
        if listed[0]["rolloutState"] == "COMPLETED":
            del listed[1:]
        return {
            "serviceName": name,
            "status": "ACTIVE",
            "taskDefinition": listed[0]["taskDefinition"],
            "desiredCount": desired,
            "runningCount": desired,
            "pendingCount": 0,
            "deployments": listed,
            "events": [],
        }


class World:
    """Every service and snapshot there is, changed by one thread at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.services: dict[str, Service] = {}
        self.snapshots: dict[str, float] = {}
        self.ledger: list[dict[str, Any]] = []
        self.troubles: dict[str, dict[str, list[str]]] = {}
        self._ids = itertools.count(1)

    def expect(self, target: str, effect: list[str], read: list[str]) -> None:
        """What the next calls about the target meet."""
        with self.lock:
            self.troubles[target] = {"effect": effect, "read": read}

    def next_trouble(self, target: str, kind: str) -> str:
        with self.lock:
            waiting = self.troubles.get(target, {}).get(kind, [])
            return waiting.pop(0) if waiting else ""

    def service(self, name: str) -> Service:
        found = self.services.setdefault(name, Service())
        if not found.deployments:
            found.deployments.append(Deployment(f"ecs-svc/{next(self._ids):019}", time.time() - 60, found.desired))
        return found

    def update(self, name: str, params: dict[str, Any], trouble: str) -> bool:
        """Change a service; whether anything is different now."""
        found = self.service(name)
        earlier = (found.desired, list(found.deployments))
        desired = params.get("desiredCount", found.desired)
        changed = desired != found.desired or bool(params.get("forceNewDeployment"))
        found.desired = desired
        if params.get("forceNewDeployment"):
            found.deployments.insert(0, Deployment(f"ecs-svc/{next(self._ids):019}", time.time(), desired))
        found.hidden, found.hidden_until = earlier, time.time() + LATE_S.get(trouble, 0)
        return changed

    def snapshot(self, name: str, trouble: str) -> bool:
        """Create a snapshot; False where it exists already. It is seen from the time it stands with."""
        if name in self.snapshots:
            return False
        self.snapshots[name] = time.time() + LATE_S.get(trouble, 0)
        return True
