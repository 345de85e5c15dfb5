"""Redis: the ElastiCache replication group, node by node, and directly."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dashboard.models import Severity
from dashboard.samples import Value
from dashboard.services.base import (
    Asking,
    Chart,
    Columns,
    Observation,
    Rule,
    Series,
    Service,
    Setting,
    Source,
    TileValue,
    register,
)
from novaops.cloud import elasticache, nova_redis
from novaops.environment import Environment

CACHE = "AWS/ElastiCache"
DIRECT = "Redis"
# Almost every metric exists only per node: there is no ReplicationGroupId dimension (FACTS, trap 11).
OF_NODE = ("CacheClusterId",)
# In the runbook's order under Redis Evictions.
MEMORY_ACTIONS = ("set-redis-maxmemory-policy", "redis-biggest-keys", "scale-redis-node")
# A cache may evict what nobody asks for again; from that share of misses on, it evicts what is needed.
NEEDED_MISSES = 10.0


def _of_node(name: str, metric: str, unit: str, statistic: str = "Average") -> Series:
    return Series(name=name, unit=unit, metric=f"{CACHE}:{metric}", statistic=statistic, by=OF_NODE, per_node=True)


def read_group(asking: Asking) -> Observation:
    """The replication group: its nodes and their roles."""
    group = elasticache.describe_group(asking.environment, asking.environment.cache.target)
    return Observation(
        values={"primaries": float(group.primary is not None), "replicas": len(group.replicas)},
        facts={
            "status": group.status,
            "automatic_failover": group.automatic_failover,
            "multi_az": group.multi_az,
            "node_type": group.node_type,
            "nodes": [{"id": node.id, "role": node.role, "zone": node.zone} for node in group.nodes],
        },
    )


def read_directly(asking: Asking) -> Observation:
    """What the server behind the primary endpoint says of itself."""
    told = nova_redis.info(asking.environment.cache.url)
    share = {"memory_used": 100 * told.memory_used / told.memory_limit} if told.memory_limit else {}
    return Observation(
        values={"answers": 1, "clients": told.clients, "evicted_keys": told.evicted_keys, **share},
        facts={"policy": told.policy, "role": told.role},
    )


@register
class Cache(Service):
    """ElastiCache Redis: sessions, rate limits, short-lived data."""

    kind = "cache"
    title = "Redis"
    series = (
        _of_node("cpu", "EngineCPUUtilization", "%"),
        _of_node("memory", "DatabaseMemoryUsagePercentage", "%", "Maximum"),
        _of_node("evictions", "Evictions", "keys", "Sum"),
        _of_node("hits", "CacheHits", "requests", "Sum"),
        _of_node("misses", "CacheMisses", "requests", "Sum"),
        _of_node("connections", "CurrConnections", "connections"),
        _of_node("replication_lag", "ReplicationLag", "s", "Maximum"),
        Series(name="eviction_rate", unit="keys/s", per_node=True),
        Series(name="needed_evictions", unit="keys/s", per_node=True),
        Series(name="miss_rate", unit="%", per_node=True),
        Series(name="hit_rate", unit="%", per_node=True),
        Series(name="primaries", unit="nodes", source="ElastiCache"),
        Series(name="replicas", unit="nodes", source="ElastiCache"),
    )
    seen_directly = (
        Series(name="answers", unit="", source=DIRECT),
        Series(name="memory_used", unit="%", source=DIRECT),
        Series(name="clients", unit="connections", source=DIRECT),
        Series(name="evicted_keys", unit="keys", source=DIRECT),
    )
    rules = (
        Rule(
            key="redis-evictions",
            title="Redis Evictions",
            series="needed_evictions",
            says="Redis evicts {value:.1f} keys a second and misses more and more of what is asked for",
            above=1,
            band=0.9,
            severity=Severity.WARN,
            section="Redis Evictions",
            causes=("memory is insufficient", "a maxmemory-policy that does not fit", "keys without an expiry"),
            offers=MEMORY_ACTIONS,
        ),
        Rule(
            key="redis-memory",
            title="Redis memory nearly full",
            series="memory",
            says="Redis uses {value:.0f} % of its memory",
            above=90,
            band=5,
            severity=Severity.WARN,
            section="Redis Evictions",
            causes=("memory is insufficient", "keys without an expiry"),
            offers=MEMORY_ACTIONS,
        ),
        Rule(
            key="redis-no-primary",
            title="Redis has no primary",
            series="primaries",
            says="The replication group has no primary node",
            below=1,
            for_s=60,
            section="Redis ElastiCache Failover",
            causes=("a failover in progress", "a node that failed"),
            offers=("fail-over-redis", "promote-redis-replica"),
        ),
        Rule(
            key="redis-replication-lag",
            title="Redis replication lags",
            series="replication_lag",
            says="A Redis replica is {value:.0f} s behind",
            above=10,
            band=5,
            severity=Severity.WARN,
            quiet_ok=True,
            section="Redis ElastiCache Failover",
            causes=("more writes than a replica can take", "the network"),
        ),
    )
    tile = (
        TileValue(label="Memory", series="memory", unit="%"),
        TileValue(label="Evictions", series="eviction_rate", unit="/s", digits=1),
        TileValue(label="Misses", series="miss_rate", unit="%"),
    )
    charts = (
        Chart(key="memory", title="Memory used", series=("memory",)),
        Chart(key="evictions", title="Evictions", series=("eviction_rate", "needed_evictions")),
        Chart(key="misses", title="Lookups that missed", series=("miss_rate",)),
        Chart(key="cpu", title="CPU of the engine", series=("cpu",)),
        Chart(key="connections", title="Connections", series=("connections",)),
        Chart(key="replication", title="Replication lag", series=("replication_lag",)),
    )
    settings = (
        Setting(label="maxmemory-policy", fact="policy", source=DIRECT),
        Setting(label="Node type", fact="node_type", source="ElastiCache"),
        Setting(label="Multi-AZ", fact="multi_az", source="ElastiCache"),
        Setting(label="Automatic failover", fact="automatic_failover", source="ElastiCache"),
    )
    spark = "memory"
    spark_label = "Memory of the Redis primary in % over 3 hours"

    def own_series_in(self, environment: Environment) -> tuple[Series, ...]:
        return (*self.series, *(self.seen_directly if environment.cache.url else ()))

    def sources_in(self, environment: Environment) -> tuple[Source, ...]:
        described = Source(name="ElastiCache", read=read_group)
        directly = Source(name=DIRECT, read=read_directly)
        return (described, directly) if environment.cache.url else (described,)

    def dimensions(self, environment: Environment, node: str) -> dict[str, str]:
        return {"CacheClusterId": node}

    def nodes(self, facts: Mapping[str, Any]) -> Sequence[str]:
        return [node["id"] for node in facts.get("nodes", [])]

    def main_node(self, facts: Mapping[str, Any]) -> str:
        """The primary; where AWS does not tell it, the first node."""
        nodes = facts.get("nodes", [])
        return next((node["id"] for node in nodes if node["role"] == "primary"), nodes[0]["id"] if nodes else "")

    def derive(self, environment: Environment, new: Columns, before: Mapping[str, Value]) -> Columns:
        """Evictions a second, the share of lookups that missed, and evictions while many miss, of every node."""
        derived: dict[str, dict[datetime, float]] = {}
        for node in {label.partition("/")[2] for label in new if "/" in label}:
            evicted = new.get(f"evictions/{node}", {})
            missed = _shares(new.get(f"misses/{node}", {}), new.get(f"hits/{node}", {}))
            rate = {at: count / environment.metric_period_s for at, count in evicted.items()}
            derived[f"eviction_rate/{node}"] = rate
            derived[f"miss_rate/{node}"] = missed
            derived[f"hit_rate/{node}"] = {at: 100 - share for at, share in missed.items()}
            derived[f"needed_evictions/{node}"] = {
                at: rate[at] if share > NEEDED_MISSES else 0.0 for at, share in missed.items() if at in rate
            }
        return derived


def _shares(misses: Mapping[datetime, float], hits: Mapping[datetime, float]) -> dict[datetime, float]:
    """Misses in percent of all lookups; where nothing was looked up, nothing missed."""
    return {at: 100 * missed / ((missed + hits[at]) or 1) for at, missed in misses.items() if at in hits}
