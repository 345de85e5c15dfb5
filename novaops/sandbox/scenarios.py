"""What can go wrong with the simulated Nova: each scenario makes it ill and knows when it is well again."""

import copy
import os
from typing import Any, ClassVar

from novaops.sandbox import rpc
from novaops.sandbox.ailments import ailments
from novaops.sandbox.aws import ecs, ecs_scheduler, task_definitions
from novaops.sandbox.aws.ecs_model import store
from novaops.sandbox.faults import Fault, Kind, faults
from novaops.sandbox.running import running, unstopped, variable
from novaops.sandbox.scenario import Scenario
from novaops.sandbox.scenarios_data import ConnectionExhaustion, Failover, MissedLedgers, RedisEvictions
from novaops.sandbox.world import world


class UnknownScenarioError(ValueError):
    """There is no scenario of that name; the message says which there are."""


class Calm(Scenario):
    """All is well."""

    name = "calm"
    title = "Calm: Nova is healthy"


class HighCpu(Scenario):
    """Every API task that runs now has a runaway worker. New tasks have none: a restart ends it.

    Scaling out brings the average below the alert's threshold while the sick tasks still run: `relieved`.
    """

    name = "high-cpu"
    title = "High CPU on the API server"
    enough = 80.0

    def start(self) -> None:
        ailments.runaway = {task.id for task in running(ecs.API)}

    def watch(self) -> None:
        tasks = running(ecs.API)
        sick = [task for task in tasks if task.id in ailments.runaway]
        ailments.runaway = {task.id for task in sick}
        if not sick:
            self.end("The tasks with a runaway worker were replaced.")
            return
        well = sum(task.healthy for task in tasks if task.id not in ailments.runaway)
        relieved = well > 0 and 96 * len(sick) / (len(sick) + well) < self.enough - 8
        self.relieve("More tasks share the load." if relieved else None)


class EventLag(Scenario):
    """The event processor hangs: its cursor stands still while the ledger moves on. A new task goes on."""

    name = "event-lag"
    title = "Event processor hangs, events lag behind"

    def start(self) -> None:
        ailments.hung = {task.id for task in unstopped(ecs.PROCESSOR)}

    def watch(self) -> None:
        ailments.hung &= {task.id for task in unstopped(ecs.PROCESSOR)}
        if not ailments.hung:
            self.end("The processor's task was replaced.")


class BadDeploy(Scenario):
    """A release of the API server that starts well and fails a quarter of its requests. Deploying another ends it."""

    name = "bad-deploy"
    title = "A bad release of the API server"
    image = "nova-api:2026.11.2"

    def start(self) -> None:
        service = store.services[ecs.CLUSTER, ecs.API]
        release = copy.deepcopy(task_definitions.shown(service.primary.task_definition))
        release["containerDefinitions"][0]["image"] = self.image
        made = task_definitions.register(release | {"tags": service.primary.task_definition["_tags"]})
        ailments.faulty = {made["taskDefinitionArn"]}
        ecs_scheduler.deploy(service, made)

    def watch(self) -> None:
        primary = store.services[ecs.CLUSTER, ecs.API].primary
        replaced = primary.task_definition["taskDefinitionArn"] not in ailments.faulty
        if replaced and not any(ailments.fails(task) for task in unstopped(ecs.API)):
            self.end("Another release took the place of the bad one.")


class RpcDown(Scenario):
    """The primary RPC answers nothing but 503. Pointing the processor to the backup ends it."""

    name = "rpc-down"
    title = "The Stellar RPC is down"

    def start(self) -> None:
        rpc.nodes["primary"].down = True

    def watch(self) -> None:
        backup = os.environ["NOVA_RPC_BACKUP_URL"]
        if any(variable(task, "RPC_URL") == backup for task in running(ecs.PROCESSOR)):
            self.end("The processor reads the backup RPC.")

    def stop(self) -> None:
        rpc.nodes["primary"].down = False


class AwsTrouble(Scenario):
    """AWS itself is unwell for ten simulated minutes; nothing that anybody does ends it earlier."""

    kind: ClassVar[Kind]
    probability: ClassVar[float]
    lasts_s = 600.0

    def start(self) -> None:
        self._fault = Fault(self.kind, times=0, probability=self.probability)
        faults.add(self._fault)
        world.later(self.lasts_s, self._recover)

    def _recover(self) -> None:
        faults.remove(self._fault)
        if self.state != "ended":
            self.end("AWS recovered.")

    def stop(self) -> None:
        faults.remove(self._fault)


class AwsThrottling(AwsTrouble):
    """Half of all calls are throttled."""

    name = "aws-throttling"
    title = "AWS throttles calls"
    kind = "throttle"
    probability = 0.5


class AwsOutage(AwsTrouble):
    """Every call fails with 503."""

    name = "aws-outage"
    title = "The AWS APIs are down"
    kind = "outage"
    probability = 1.0


PLAYABLE: tuple[type[Scenario], ...] = (
    Calm,
    HighCpu,
    ConnectionExhaustion,
    RedisEvictions,
    EventLag,
    RpcDown,
    MissedLedgers,
    BadDeploy,
    Failover,
    AwsThrottling,
    AwsOutage,
)
SCENARIOS: dict[str, type[Scenario]] = {kind.name: kind for kind in PLAYABLE}


class Stage:
    """The scenario that plays now."""

    def __init__(self) -> None:
        self.current: Scenario = Calm()

    def play(self, name: str) -> None:
        """Stop the scenario that plays and start another. Raises UnknownScenarioError."""
        if name not in SCENARIOS:
            raise UnknownScenarioError(f"There is no scenario {name!r}: use one of {', '.join(SCENARIOS)}.")
        self.current.stop()
        ailments.clear()
        self.current = SCENARIOS[name]()
        self.current.start()

    def watch(self) -> None:
        """Let the scenario look at the world, until it has ended."""
        if self.current.state != "ended":
            self.current.watch()

    def described(self) -> dict[str, Any]:
        """What plays, since when, and whether and by what it ended."""
        now = self.current
        return {
            "scenario": now.name,
            "started_at": now.started_at.isoformat(),
            "state": now.state,
            "by": now.by,
            "ended_at": now.ended_at.isoformat() if now.ended_at else None,
            "scenarios": [{"name": kind.name, "title": kind.title} for kind in SCENARIOS.values()],
        }


stage = Stage()
