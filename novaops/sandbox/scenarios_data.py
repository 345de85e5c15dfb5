"""What can go wrong with the data stores of the simulated Nova, and with what the event processor writes."""

from functools import partial

from novaops.sandbox import gaps, load
from novaops.sandbox.ailments import ailments
from novaops.sandbox.aws import ecs, elasticache, elasticache_model, rds, rds_model, rds_reboot
from novaops.sandbox.aws.ecs_model import Task
from novaops.sandbox.aws.elasticache_model import MEMORY_GIB
from novaops.sandbox.aws.elasticache_parameters import find_parameters
from novaops.sandbox.consequences import SEEDED_NODE_TYPE, consequences
from novaops.sandbox.ledgers import network
from novaops.sandbox.running import has_database, running, unstopped, variable
from novaops.sandbox.scenario import Scenario


class ConnectionExhaustion(Scenario):
    """Every API task that runs now loses connections, which stay open and idle until the database is full.

    New tasks lose none: a restart, or a deployment with a smaller DB_POOL_MAX, ends it. Terminating the idle backends
    makes room only until the tasks have lost as many again.
    """

    name = "connection-exhaustion"
    title = "The database runs out of connections"

    def start(self) -> None:
        leaking = running(ecs.API)
        ailments.leaking = {task.id for task in leaking}
        self._pool_max = max(map(_pool_max, leaking), default=0)
        self._was_full = False

    def watch(self) -> None:
        tasks = running(ecs.API)
        ailments.leaking &= {task.id for task in tasks}
        ailments.leaked = load.leaked(self.lasted_s(), len(ailments.leaking))
        if not ailments.leaking:
            ailments.full = False
            smaller = tasks and all(_pool_max(task) < self._pool_max for task in tasks)
            self.end(
                "A smaller DB_POOL_MAX was deployed." if smaller else "The tasks that lost connections were replaced."
            )
            return
        if not has_database():
            ailments.full = ailments.leaked + len(tasks) * load.POOL_OPEN + 1 >= load.CONNECTION_LIMIT
        self._was_full |= ailments.full
        relieved = self._was_full and not ailments.full
        self.relieve("Connections were closed: the tasks will lose others." if relieved else None)


class RedisEvictions(Scenario):
    """The API server writes large keys without expiry: under volatile-lru they drive every session out.

    A policy that may evict any key, or a node type with more memory, ends it.
    """

    name = "redis-evictions"
    title = "Redis evicts keys that are needed"
    grows_s = 240.0

    def watch(self) -> None:
        group = elasticache_model.groups[elasticache.NOVA_CACHE]
        policy = find_parameters(group.parameter_group).values["maxmemory-policy"]
        ailments.bloat = 0.0
        if MEMORY_GIB[group.wire["CacheNodeType"]] > MEMORY_GIB[SEEDED_NODE_TYPE]:
            self.end("The node type has room for all keys.")
        elif policy.startswith("allkeys-") and group.apply_status == "in-sync":
            self.end("The policy lets Redis evict the large keys.")
        else:
            ailments.bloat = min(1.0, self.lasted_s() / self.grows_s)


class MissedLedgers(Scenario):
    """The event processor skipped some ledgers: their events are in no row. A replay from before them ends it."""

    name = "missed-ledgers"
    title = "The event processor has skipped ledgers"

    def start(self) -> None:
        self._made = False
        if has_database():
            ailments.skips = True
        else:
            ailments.gap = gaps.behind(network.latest())

    def watch(self) -> None:
        if ailments.gap and not has_database() and _replays_from(ailments.gap[0]):
            ailments.gap = None
        if ailments.gap:
            self._made = True
        elif self._made:
            self.end("A replay has read the skipped ledgers.")

    def stop(self) -> None:
        if ailments.gap and has_database():
            consequences.add(partial(gaps.fill, *ailments.gap))


class Failover(Scenario):
    """The database's primary fails, and RDS promotes the standby by itself. Nobody can or need do anything."""

    name = "failover"
    title = "The database fails over by itself"

    def start(self) -> None:
        self._began = False

    def watch(self) -> None:
        instance = rds_model.instances[rds.NOVA_DB]
        if instance.status != "available":
            return
        if self._began:
            self.end("The standby has taken over.")
        elif not instance.wire["MultiAZ"]:
            self.end("The database has no standby to fail over to.")
        else:
            self._began = True
            rds_reboot.fail_over(instance)


def _pool_max(task: Task) -> int:
    return int(variable(task, "DB_POOL_MAX") or 0)


def _replays_from(ledger: int) -> bool:
    starts = [variable(task, "START_BLOCK") for task in unstopped(ecs.PROCESSOR) if task.last_status == "RUNNING"]
    return any(start and int(start) <= ledger for start in starts)
