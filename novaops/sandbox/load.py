"""What Nova's metrics would be in a given state of the world: pure functions from state to values."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

Values = dict[str, tuple[float, ...]]
# The deviation of a named value at the moment in question, -1 to 1.
Noise = Callable[[str], float]

DAY_S = 86400.0
REQUESTS_PER_S = 40.0
# Share of a task's CPU that it needs anyway, and for each request a second.
IDLE_CPU, CPU_PER_REQUEST = 8.0, 0.9
RUNAWAY_CPU = 96.0
FAST_S, SLOW_S = 0.045, 1.6
ERRORS_OF_RUNAWAY = 0.03
ERRORS_OF_BAD_RELEASE = 0.25
LATENCY_SAMPLES = 40
POOL_OPEN = 9
MONITORS = 5
LEDGER_S = 5.0
MIB = 1024.0 * 1024.0
GIB = 1024.0 * MIB


def noise_at(seed: int, at: float) -> Noise:
    """The same world has the same noise at the same time, whichever value is asked for first."""

    def noise(name: str) -> float:
        return random.Random(f"{seed}:{name}:{at:.0f}").uniform(-1, 1)  # noqa: S311 - reproducible, not a secret

    return noise


@dataclass(frozen=True)
class Api:
    """The API server: one entry per running task that is healthy, telling whether a runaway worker burns its CPU."""

    runaway: tuple[bool, ...]
    healthy: int
    unhealthy: int
    # Share of requests that fail although the tasks look well: a bad release.
    failing: float = 0.0


def requests_per_s(at: float) -> float:
    """Nova's traffic over the day."""
    return REQUESTS_PER_S * (1 + 0.15 * math.sin(2 * math.pi * at / DAY_S))


def cpu_of(runaway: bool, requests_per_task_s: float) -> float:
    """CPU of one task in percent of what it reserved."""
    return RUNAWAY_CPU if runaway else min(100.0, IDLE_CPU + CPU_PER_REQUEST * requests_per_task_s)


def ecs_api(state: Api, at: float, noise: Noise) -> Values:
    """AWS/ECS of the API server, one value per running task; nothing is sent where none runs."""
    if not state.runaway:
        return {}
    share = requests_per_s(at) / len(state.runaway)
    cpu = [cpu_of(bad, share) * (1 + 0.03 * noise(f"cpu{n}")) for n, bad in enumerate(state.runaway)]
    memory = [46.0 + 8.0 * bad + 1.5 * noise(f"memory{n}") for n, bad in enumerate(state.runaway)]
    return {"CPUUtilization": tuple(cpu), "MemoryUtilization": tuple(memory)}


def ecs_processor(running: int, noise: Noise) -> Values:
    """AWS/ECS of the event processor."""
    if not running:
        return {}
    return {
        "CPUUtilization": (11.0 + 2.0 * noise("processor-cpu"),),
        "MemoryUtilization": (34.0 + noise("processor-memory"),),
    }


def processor_lag(before: float, interval_s: float, factor: float, *, hung: bool) -> float:
    """How many ledgers a modelled processor is behind: one closes every five simulated seconds; it reads faster."""
    closed = interval_s * factor / LEDGER_S
    return before + closed if hung else max(0.0, before - 4 * closed)


def balancer(state: Api, at: float, interval_s: float, noise: Noise) -> Values:
    """AWS/ApplicationELB: counters only when not zero, as AWS sends them (FACTS E)."""
    requests = round(requests_per_s(at) * interval_s * (1 + 0.05 * noise("requests")))
    if not state.healthy:
        return {"RequestCount": (requests,), "HTTPCode_ELB_5XX_Count": (requests,)}
    sick = sum(state.runaway) / max(1, len(state.runaway))
    errors = round(requests * (sick * ERRORS_OF_RUNAWAY + state.failing))
    values: Values = {"RequestCount": (requests,), "TargetResponseTime": latencies(sick, noise)}
    return values | ({"HTTPCode_Target_5XX_Count": (errors,)} if errors else {})


def latencies(sick: float, noise: Noise) -> tuple[float, ...]:
    """Response times in seconds of some requests, `sick` of which met a runaway task: enough for percentiles."""
    chance = random.Random(noise("latency"))  # noqa: S311 - reproducible, not a secret
    slow = round(sick * LATENCY_SAMPLES)
    return tuple((SLOW_S if n < slow else FAST_S) * chance.lognormvariate(0, 0.35) for n in range(LATENCY_SAMPLES))


def hosts(state: Api) -> Values:
    """AWS/ApplicationELB per target group."""
    return {"HealthyHostCount": (state.healthy,), "UnHealthyHostCount": (state.unhealthy,)}


def database(api_tasks: int, real_connections: int | None, noise: Noise, *, up: bool) -> Values:
    """AWS/RDS of the instance; while it restarts nothing is connected."""
    modelled = api_tasks * POOL_OPEN + 4 + round(noise("connections"))
    connections = (modelled if real_connections is None else real_connections) if up else 0
    return {
        "CPUUtilization": (14.0 + 0.15 * connections + 2.0 * noise("db-cpu") if up else 3.0,),
        "DatabaseConnections": (float(connections),),
        "FreeableMemory": (1.9 * GIB - connections * 6 * MIB + 20 * MIB * noise("db-memory"),),
        "FreeStorageSpace": (61.0 * GIB + 30 * MIB * noise("db-storage"),),
        "ReadLatency": (0.0011 + 0.0002 * noise("db-read"),),
        "WriteLatency": (0.0024 + 0.0004 * noise("db-write"),),
    }


@dataclass(frozen=True)
class RedisFigures:
    """What a Redis says of itself; hits, misses and evictions since the figures before."""

    memory_percent: float
    connections: int
    evictions: int
    hits: int
    misses: int


def modelled_redis(interval_s: float, noise: Noise) -> RedisFigures:
    """The figures of a calm cache, where no real Redis can be asked."""
    hits = round(90 * interval_s * (1 + 0.05 * noise("hits")))
    return RedisFigures(41.0 + 1.5 * noise("cache-memory"), 24, 0, hits, round(hits * 0.06))


def cache_node(figures: RedisFigures, noise: Noise, *, primary: bool, name: str) -> Values:
    """AWS/ElastiCache of one node; only a replica sends ReplicationLag."""
    cpu = 9.0 if primary else 4.0
    values: Values = {
        "EngineCPUUtilization": (cpu + noise(f"{name}-cpu"),),
        "DatabaseMemoryUsagePercentage": (figures.memory_percent,),
        "Evictions": (float(figures.evictions),),
        "CacheHits": (float(figures.hits if primary else 0),),
        "CacheMisses": (float(figures.misses if primary else 0),),
        "CurrConnections": (float(MONITORS + (figures.connections if primary else 0)),),
        "IsMaster": (1.0 if primary else 0.0,),
    }
    return values if primary else values | {"ReplicationLag": (0.4 + 0.2 * noise(f"{name}-lag"),)}
