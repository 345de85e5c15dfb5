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
# What a task keeps open, what a leaking one loses in a simulated second, and how many whole pools it loses at most.
POOL_OPEN, LEAKS_A_S, LOST_POOLS = 6, 0.05, 2
# max_connections of Nova's database without those kept for superusers.
CONNECTION_LIMIT = 57
ERRORS_WITHOUT_DATABASE, ERRORS_OF_FULL_DATABASE = 0.6, 0.3
# Of Redis' memory in percent: what a calm cache uses, and what the keys without expiry add at their worst.
CACHE_FILLED, BLOATED = 47.5, 65.0
GETS_PER_REQUEST, HIT_SHARE = 2.4, 0.94
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
    # Share of requests that fail although the tasks look well: a bad release, a database that takes no connections.
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


def blocks_behind(behind: float, noise: Noise) -> Values:
    """Nova/EventProcessor: one that keeps up is up to two ledgers behind when it looks."""
    return {"blocks_behind": (max(behind, float(round(0.8 + 0.9 * noise("behind")))),)}


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


def modelled_connections(api_tasks: int, processors: int, leaked: int, noise: Noise) -> int:
    """How many are connected, where no real database can be asked: now and then somebody looks in."""
    return min(CONNECTION_LIMIT, api_tasks * POOL_OPEN + processors + leaked + (noise("connections") > 0.8))


def leaked(since_s: float, tasks: int) -> int:
    """How many connections so many leaking tasks have lost after so many simulated seconds."""
    return min(CONNECTION_LIMIT, int(LEAKS_A_S * since_s * tasks))


def database(connections: int, noise: Noise, *, up: bool) -> Values:
    """AWS/RDS of the instance; while it restarts nothing is connected."""
    connections = connections if up else 0
    return {
        "CPUUtilization": (14.0 + 0.15 * connections + 2.0 * noise("db-cpu") if up else 3.0,),
        "DatabaseConnections": (float(connections),),
        "FreeableMemory": (1.9 * GIB - connections * 6 * MIB + 20 * MIB * noise("db-memory"),),
        "FreeStorageSpace": (61.0 * GIB + 30 * MIB * noise("db-storage"),),
        "ReadLatency": (0.0011 + 0.0002 * noise("db-read"),),
        "BurstBalance": (100.0,),
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


def cache_gets(at: float, interval_s: float) -> int:
    """How many keys the API tasks ask for together."""
    return round(GETS_PER_REQUEST * requests_per_s(at) * interval_s)


def modelled_redis(api_tasks: int, at: float, interval_s: float, noise: Noise, bloat: float) -> RedisFigures:
    """The figures of the cache, where no real Redis can be asked.

    The sessions that `bloat` leaves no room for miss; each is written again and drives another one out.
    """
    gets = cache_gets(at, interval_s) if api_tasks else 0
    over = max(0.0, CACHE_FILLED + bloat * BLOATED - 100)
    crowded_out = round(gets * over / CACHE_FILLED)
    hits = round(gets * HIT_SHARE) - crowded_out
    memory = min(99.9, CACHE_FILLED + bloat * BLOATED + 3.6 + 0.3 * noise("cache-memory"))
    return RedisFigures(memory, api_tasks + 1, crowded_out, hits, gets - hits)


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
