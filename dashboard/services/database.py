"""The database: RDS PostgreSQL, seen by CloudWatch, by the RDS API and directly."""

from collections.abc import Mapping
from dataclasses import replace

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
    Source,
    TileValue,
    register,
)
from novaops.cloud import nova_db, rds
from novaops.environment import Environment

RDS = "AWS/RDS"
DIRECT = "PostgreSQL"
OF_INSTANCE = ("DBInstanceIdentifier",)
OF_CLUSTER = ("DBClusterIdentifier",)
GIB = 2**30


def read_rds(asking: Asking) -> Observation:
    """The instance or cluster as the RDS API describes it."""
    found = rds.describe(asking.environment)
    return Observation(
        values={"available": float(found.status == "available")},
        facts={
            "status": found.status,
            "multi_az": found.multi_az,
            "zone": found.zone,
            "standby_zone": found.standby_zone,
            "instance_class": found.instance_class,
            "engine": found.engine,
            "storage_gb": found.storage_gb,
            "writer": found.writer,
            "readers": list(found.readers),
            "backup_retention_days": found.backup_retention_days,
            "latest_restorable_at": found.latest_restorable_at.isoformat() if found.latest_restorable_at else "",
        },
    )


def read_directly(asking: Asking) -> Observation:
    """Who is connected. A server that is full is an answer, and the one that matters most."""
    try:
        activity = nova_db.activity(asking.environment.database.dsn)
    except nova_db.TooManyConnectionsError as failure:
        return Observation(values={"refusing": 1}, failed=str(failure))
    return Observation(
        values={
            "refusing": 0,
            "clients": activity.connections,
            "idle_clients": activity.by_state.get("idle", 0),
            "connection_limit": activity.limit,
            "longest_query": activity.longest_query_s,
        },
        facts={"clients_by_state": activity.by_state},
    )


@register
class Database(Service):
    """Primary store for users, merchants, campaigns, transactions and redemptions."""

    kind = "database"
    title = "Database"
    series = (
        Series(name="cpu", unit="%", metric=f"{RDS}:CPUUtilization", by=OF_INSTANCE),
        Series(name="connections", unit="connections", metric=f"{RDS}:DatabaseConnections", by=OF_INSTANCE),
        Series(name="connections_used", unit="%"),
        Series(name="free_memory", unit="B", metric=f"{RDS}:FreeableMemory", by=OF_INSTANCE),
        Series(name="free_storage", unit="B", metric=f"{RDS}:FreeStorageSpace", by=OF_INSTANCE),
        Series(name="read_latency", unit="s", metric=f"{RDS}:ReadLatency", by=OF_INSTANCE),
        Series(name="write_latency", unit="s", metric=f"{RDS}:WriteLatency", by=OF_INSTANCE),
        Series(name="available", unit="", source="RDS"),
    )
    seen_directly = (
        Series(name="refusing", unit="", source=DIRECT),
        Series(name="clients", unit="connections", source=DIRECT),
        Series(name="idle_clients", unit="connections", source=DIRECT),
        Series(name="connection_limit", unit="connections", source=DIRECT),
        Series(name="longest_query", unit="s", source=DIRECT),
    )
    rules = (
        Rule(
            key="connections-refused",
            title="Database refuses connections",
            series="refusing",
            says="The database refuses connections: too many connections",
            above=0,
            for_s=30,
            quiet_ok=True,
            section="Database Connection Exhaustion",
            causes=("a connection pool that is too large (DB_POOL_MAX)", "stale connections that are never closed"),
            offers=("restart-api", "terminate-connections", "set-api-variable", "use-rds-proxy"),
        ),
        Rule(
            key="connection-exhaustion",
            title="Database connections nearly used up",
            series="connections_used",
            says="{value:.0f} % of the database's connections are used",
            above=85,
            band=10,
            for_s=120,
            quiet_ok=True,
            section="Database Connection Exhaustion",
            causes=("a connection pool that is too large (DB_POOL_MAX)", "stale connections that are never closed"),
            offers=("restart-api", "terminate-connections", "set-api-variable", "use-rds-proxy"),
        ),
        Rule(
            key="database-unavailable",
            title="Database not available",
            series="available",
            says="RDS says that the database is not available",
            below=1,
            for_s=30,
            section="RDS Failover (Multi-AZ)",
            causes=("a reboot or failover", "maintenance", "storage that is full"),
            offers=("fail-over-database", "reboot-database"),
        ),
        Rule(
            key="database-cpu",
            title="High CPU of the database",
            series="cpu",
            says="The database's CPU is at {value:.0f} %",
            above=90,
            band=10,
            severity=Severity.WARN,
            section="High CPU",
            causes=("slow queries", "more traffic"),
        ),
        Rule(
            key="free-storage",
            title="Storage nearly full",
            series="free_storage",
            says="The database has less than 5 GiB of storage left",
            below=5 * GIB,
            band=GIB,
            severity=Severity.WARN,
            section="RDS Failover (Multi-AZ)",
            causes=("growth", "a replication slot that holds back the write-ahead log"),
        ),
    )
    tile = (
        TileValue(label="Connections", series="connections", of="connection_limit"),
        TileValue(label="CPU", series="cpu", unit="%"),
        TileValue(label="Free storage", series="free_storage", unit="B"),
    )
    charts = (
        Chart(key="connections", title="Connections", series=("connections", "clients", "idle_clients")),
        Chart(key="used", title="Connections used of the limit", series=("connections_used",)),
        Chart(key="cpu", title="CPU", series=("cpu",)),
        Chart(key="latency", title="Latency of storage", series=("write_latency", "read_latency")),
        Chart(key="storage", title="Free storage", series=("free_storage",)),
        Chart(key="queries", title="Longest query", series=("longest_query",)),
    )
    spark = "connections"
    spark_label = "Database connections over 3 hours"

    def own_series_in(self, environment: Environment) -> tuple[Series, ...]:
        found = (*self.series, *(self.seen_directly if environment.database.dsn else ()))
        if environment.database.kind == "instance":
            return found
        return tuple(replace(series, by=OF_CLUSTER) if series.by else series for series in found)

    def sources_in(self, environment: Environment) -> tuple[Source, ...]:
        described = Source(name="RDS", read=read_rds)
        directly = Source(name=DIRECT, read=read_directly)
        return (described, directly) if environment.database.dsn else (described,)

    def dimensions(self, environment: Environment, node: str) -> dict[str, str]:
        return {
            "DBInstanceIdentifier": environment.database.instance_id or "",
            "DBClusterIdentifier": environment.database.cluster_id or "",
        }

    def derive(self, environment: Environment, new: Columns, before: Mapping[str, Value]) -> Columns:
        """The share of connections used, against the limit the server last told: a full server tells none."""
        told = [*new.get("connection_limit", {}).values()] or [
            value.value for label, value in before.items() if label == "connection_limit"
        ]
        if not told or not told[0]:
            return {}
        return {"connections_used": {at: 100 * used / told[0] for at, used in new.get("connections", {}).items()}}
