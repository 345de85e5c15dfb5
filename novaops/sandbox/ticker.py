"""The ticker: lets the simulated world move on, and writes its metrics and log lines at regular times."""

import json
import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from novaops.sandbox import figures, load
from novaops.sandbox.ailments import ailments
from novaops.sandbox.aws import alarms, ecs, elasticache_model, elbv2, logs, rds, rds_model
from novaops.sandbox.aws.ecs_model import Task
from novaops.sandbox.aws.metrics import Key, metrics, point
from novaops.sandbox.consequences import consequences
from novaops.sandbox.gaps import gaps
from novaops.sandbox.processes import processes
from novaops.sandbox.running import DATABASE_DOWN, database_is_up, running
from novaops.sandbox.scenarios import stage
from novaops.sandbox.world import world

SAMPLE_S = 5.0
HISTORY_STEP_S = 60
HISTORY = timedelta(hours=3)
BEAT_S = 0.1
COMPACT_EVERY_S = 600
LINES_PER_SAMPLE = 3
PATHS = ("/v1/rewards", "/v1/balance", "/v1/claims", "/v1/me")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What the real database and Redis said just before a sample; None where they are modelled, as in the past.

    `silent` names those that should have answered and did not: their figures are missing. `live`: the sample is of
    now, when the processes of the tasks speak for themselves.
    """

    connections: int | None = None
    redis: load.RedisFigures | None = None
    silent: frozenset[str] = frozenset()
    live: bool = False


@dataclass
class Modelled:
    """What the model carries from sample to sample: how far a processor that has no process is behind."""

    behind: float = 0.0


modelled = Modelled()


def api_state() -> load.Api:
    """The API server as the load model sees it."""
    states = elbv2.states(elbv2.TARGET_GROUP_ARN)
    serving = [task for task in running(ecs.API) if task.healthy or task.id in ailments.runaway]
    faulty = sum(ailments.fails(task) for task in serving) / max(1, len(serving))
    without = load.ERRORS_OF_FULL_DATABASE * ailments.full if database_is_up() else load.ERRORS_WITHOUT_DATABASE
    return load.Api(
        tuple(task.id in ailments.runaway for task in serving),
        states.count("healthy"),
        states.count("unhealthy"),
        failing=max(faulty * load.ERRORS_OF_BAD_RELEASE, without),
    )


def sample(at: datetime, interval_s: float, asked: Asked) -> None:
    """Write every metric of the moment."""
    moment = at.timestamp()
    noise, state = load.noise_at(world.seed, moment), api_state()

    def put(namespace: str, values: load.Values, unit: str = "None", **dimensions: str) -> None:
        for name, numbers in values.items():
            key: Key = (namespace, name, frozenset(dimensions.items()))
            metrics.put(key, moment, point(numbers), unit)

    put("AWS/ECS", load.ecs_api(state, moment, noise), "Percent", ClusterName=ecs.CLUSTER, ServiceName=ecs.API)
    processors = len(running(ecs.PROCESSOR))
    processor = load.ecs_processor(processors, noise)
    put("AWS/ECS", processor, "Percent", ClusterName=ecs.CLUSTER, ServiceName=ecs.PROCESSOR)
    if processor and not (asked.live and processes.enabled):
        modelled.behind = load.processor_lag(modelled.behind, interval_s, world.factor, hung=bool(ailments.hung))
        lag = load.blocks_behind(modelled.behind, noise)
        put("Nova/EventProcessor", lag, "Count", ServiceName=ecs.PROCESSOR)
    traffic = load.balancer(state, moment, interval_s, noise)
    groups = {"LoadBalancer": elbv2.LOAD_BALANCER, "TargetGroup": elbv2.TARGET_GROUP}
    put("AWS/ApplicationELB", traffic, LoadBalancer=elbv2.LOAD_BALANCER)
    put("AWS/ApplicationELB", traffic | load.hosts(state), **groups)
    for instance in rds_model.instances.values():
        mine = instance.id == rds.NOVA_DB
        connections = asked.connections if mine else 0
        if connections is None:
            tasks = len(running(ecs.API))
            connections = load.modelled_connections(tasks, processors, ailments.leaked, noise)
        database = load.database(connections, noise, up=instance.status not in DATABASE_DOWN)
        if mine and "database" in asked.silent:
            del database["DatabaseConnections"]
        put("AWS/RDS", database, DBInstanceIdentifier=instance.id)
    cache = asked.redis or load.modelled_redis(len(running(ecs.API)), moment, interval_s, noise, ailments.bloat)
    for group in elasticache_model.groups.values() if "redis" not in asked.silent else ():
        for node in group.nodes:
            values = load.cache_node(cache, noise, primary=node.id == group.primary, name=node.id)
            put("AWS/ElastiCache", values, CacheClusterId=node.id)


def write_lines(at: datetime) -> None:
    """Write a few lines of the API server's log."""
    noise = load.noise_at(world.seed, at.timestamp())
    tasks = running(ecs.API)
    for n in range(LINES_PER_SAMPLE if tasks else 0):
        task = tasks[int((noise(f"line{n}") + 1) * 997) % len(tasks)]
        logs.write(
            logs.API_GROUP, f"api/api/{task.id}", _line(task, noise(f"took{n}"), n), int(at.timestamp() * 1000) + n
        )


def _line(task: Task, chance: float, n: int) -> str:
    sick, trouble = task.id in ailments.runaway, _trouble(task, chance)
    status = 503 if sick and chance > 0.6 else 500 if trouble else 200
    level = "error" if status >= 500 else "warning" if sick else "info"
    text = trouble or "request"
    if sick and n == 0:
        text = "worker thread busy for 1500 ms, event loop is late"
    took_ms = round((1600 if sick else 45) * (1.2 + chance))
    path = PATHS[int((chance + 1) * 499) % len(PATHS)]
    return json.dumps({"level": level, "message": text, "path": path, "status": status, "duration_ms": took_ms})


def _trouble(task: Task, chance: float) -> str:
    """What makes the request fail, empty where nothing does."""
    if chance > 0 and not database_is_up():
        return "Connection terminated unexpectedly"
    if chance > 0 and ailments.full:
        return 'too many connections for role "nova"'
    return "KeyError: 'reward_tier'" if chance > 0 and ailments.fails(task) else ""


class Ticker:
    """Brings the world from one moment to the next; each sample is written at a whole multiple of `sample_s`."""

    def __init__(self) -> None:
        self.sample_s = self.usual_sample_s = SAMPLE_S
        self._next = datetime.now(UTC)
        self._database = figures.Database()
        self._redis = figures.Redis()
        self._stopping = threading.Event()
        self._compacted = time.monotonic()

    def begin(self, at: datetime, past: timedelta = HISTORY) -> None:
        """Write the calm hours before `at`, and go on from there."""
        modelled.behind = 0.0
        first = at.timestamp() // HISTORY_STEP_S * HISTORY_STEP_S
        for n in range(int(past.total_seconds()) // HISTORY_STEP_S, 0, -1):
            # Each minute has the counts of one live interval, so that a chart of that period has no step.
            sample(datetime.fromtimestamp(first - n * HISTORY_STEP_S, UTC), self.sample_s, Asked())
        self._next = self._after(at)

    def catch_up(self, until: datetime, *, worth_from: datetime) -> None:
        """Replay: move the world on to `until`, with modelled metrics where they are not older than `worth_from`."""
        self._next = max(self._next, self._after(worth_from))
        while self._next <= until:
            with world.at(self._next):
                world.advance()
                stage.watch()
                sample(self._next, self.sample_s, Asked())
            self._next = self._after(self._next)
        with world.at(until):
            world.advance()
            stage.watch()

    def _after(self, moment: datetime) -> datetime:
        return datetime.fromtimestamp((moment.timestamp() // self.sample_s + 1) * self.sample_s, UTC)

    def beat(self) -> None:
        """Let the world move on to now."""
        asked = self._ask() if datetime.now(UTC) >= self._next else None
        with world.lock:
            now = datetime.now(UTC)
            if asked and now >= self._next:
                self._sample(now, asked)
            with world.at(now):
                world.advance()
                stage.watch()
        consequences.carry_out()
        processes.keep_in_step()
        gaps.keep_in_step()

    def _ask(self) -> Asked:
        connections, redis, silent = None, None, set()
        try:
            connections = self._database.connections()
        except figures.UnreachableError as failure:
            log.warning("%s", failure)
            silent.add("database")
        try:
            redis = self._redis.figures()
        except figures.UnreachableError as failure:
            log.warning("%s", failure)
            silent.add("redis")
        return Asked(connections, redis, frozenset(silent), live=True)

    def _sample(self, now: datetime, asked: Asked) -> None:
        with world.at(self._next):
            world.advance()
            stage.watch()
            sample(self._next, self.sample_s, asked)
            write_lines(self._next)
            alarms.evaluate()
        # After a pause of the machine the missed samples stay missing, as in a real outage of a metric's source.
        self._next = self._after(now)
        if time.monotonic() - self._compacted > COMPACT_EVERY_S:
            metrics.compact(now.timestamp())
            self._compacted = time.monotonic()

    def run(self) -> None:
        """Beat until stopped."""
        while not self._stopping.wait(BEAT_S):
            try:
                self.beat()
            except Exception:
                log.exception("A beat of the sandbox failed")

    def stop(self) -> None:
        """End `run` after the beat it is at."""
        self._stopping.set()


ticker = Ticker()
