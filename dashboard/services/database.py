"""The database: RDS PostgreSQL, seen by CloudWatch, by the RDS API and directly."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from novaops.cloud import logs, nova_db, rds
from novaops.environment import Environment

RDS = "AWS/RDS"
DIRECT = "PostgreSQL"
OF_INSTANCE = ("DBInstanceIdentifier",)
OF_CLUSTER = ("DBClusterIdentifier",)
GIB = 2**30
API_LOG = "API log"
RDS_EVENTS = "RDS events"
# What PostgreSQL says to those it has no connection for, in the words of its versions.
REFUSALS = '?"too many connections" ?"too many clients" ?"remaining connection slots"'
# Lines are looked for in the last intervals, so that one that came late is counted once at least.
LOG_INTERVALS = 2
EVENTS_BACK = timedelta(hours=24)
MOST_EVENTS = 20
# Beyond that an estimate of when the storage is full says nothing.
FAR_DAYS = 365.0
CONNECTION_ACTIONS = ("restart-api", "restart-api-ec2", "terminate-connections", "set-api-variable", "use-rds-proxy")


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


def read_events(asking: Asking) -> Observation:
    """What RDS says happened to the database in the last day, the latest first."""
    database = asking.environment.database
    since = datetime.now(UTC) - EVENTS_BACK
    found = rds.events(asking.environment, database.target, f"db-{database.kind}", since)[-MOST_EVENTS:]
    return Observation(
        facts={"events": [{"at": one.at.isoformat(), "message": one.message} for one in reversed(found)]}
    )


def read_api_log(asking: Asking) -> Observation:
    """How many lines of the API server's log say lately that the database refused a connection."""
    environment, now = asking.environment, datetime.now(UTC)
    since = now - timedelta(seconds=LOG_INTERVALS * environment.collect_every_s)
    found = logs.filter_events(environment, environment.api.log_group, start=since, end=now, pattern=REFUSALS)
    return Observation(values={"refusals_logged": len(found)})


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
        Series(name="burst_balance", unit="%", metric=f"{RDS}:BurstBalance", by=OF_INSTANCE),
        Series(name="replica_lag", unit="s", metric=f"{RDS}:ReplicaLag", by=OF_INSTANCE, per_node=True),
        Series(name="storage_days", unit="days"),
        Series(name="available", unit="", source="RDS"),
        Series(name="refusals_logged", unit="lines", source=API_LOG),
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
            offers=CONNECTION_ACTIONS,
        ),
        Rule(
            key="connections-refused-logged",
            title="Too many connections in the API log",
            series="refusals_logged",
            says="The API server logs {value:time} that the database has too many connections",
            above=0,
            for_s=60,
            quiet_ok=True,
            section="Database Connection Exhaustion",
            causes=("a connection pool that is too large (DB_POOL_MAX)", "stale connections that are never closed"),
            offers=CONNECTION_ACTIONS,
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
            offers=CONNECTION_ACTIONS,
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
            offers=("fail-over-database", "reboot-database", "reboot-cluster-member"),
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
        Rule(
            key="storage-days",
            title="Storage full in days",
            series="storage_days",
            says="At the pace of the last day the database's storage is full in {value:.1f} days",
            below=7,
            band=1,
            for_s=1800,
            severity=Severity.WARN,
            quiet_ok=True,
            section="RDS Failover (Multi-AZ)",
            causes=("growth", "a replication slot that holds back the write-ahead log", "a runaway import"),
        ),
        Rule(
            key="replica-lag",
            title="Database replica lags",
            series="replica_lag",
            says="A replica of the database is {value:.0f} s behind",
            above=60,
            band=30,
            severity=Severity.WARN,
            quiet_ok=True,
            section="RDS Failover (Multi-AZ)",
            causes=("more writes than the replica can take", "a long transaction on the replica"),
        ),
        Rule(
            key="burst-balance",
            title="Storage bursts nearly used up",
            series="burst_balance",
            says="The database's storage has {value:.0f} % of its burst balance left",
            below=20,
            band=10,
            severity=Severity.WARN,
            quiet_ok=True,
            section="RDS Failover (Multi-AZ)",
            causes=("more reads and writes than the volume gives in the long run",),
        ),
    )
    trends = ("free_storage",)
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
        Chart(key="replicas", title="Lag of the replicas", series=("replica_lag",)),
        Chart(key="queries", title="Longest query", series=("longest_query",)),
    )
    settings = (
        Setting(label="Engine", fact="engine", source="RDS"),
        Setting(label="Class", fact="instance_class", source="RDS"),
        Setting(label="Multi-AZ", fact="multi_az", source="RDS"),
        Setting(label="Storage in GB", fact="storage_gb", source="RDS"),
        Setting(label="Days of backups", fact="backup_retention_days", source="RDS"),
        Setting(label="Restorable until", fact="latest_restorable_at", source="RDS"),
    )
    spark = "connections"
    spark_label = "Database connections over 3 hours"

    def own_series_in(self, environment: Environment) -> tuple[Series, ...]:
        found = (*self.series, *(self.seen_directly if environment.database.dsn else ()))
        if environment.database.kind == "instance":
            return found
        # A replica has a name of its own also in a cluster.
        return tuple(
            replace(series, by=OF_CLUSTER) if series.by and not series.per_node else series for series in found
        )

    def sources_in(self, environment: Environment) -> tuple[Source, ...]:
        found = (
            Source(name="RDS", read=read_rds),
            Source(name=RDS_EVENTS, read=read_events),
            Source(name=API_LOG, read=read_api_log),
        )
        return (*found, Source(name=DIRECT, read=read_directly)) if environment.database.dsn else found

    def dimensions(self, environment: Environment, node: str) -> dict[str, str]:
        return {
            "DBInstanceIdentifier": node or environment.database.instance_id or "",
            "DBClusterIdentifier": environment.database.cluster_id or "",
        }

    def nodes(self, facts: Mapping[str, Any]) -> Sequence[str]:
        """The replicas: only what is told of each of them is per node."""
        return list(facts.get("readers", []))

    def project(self, new: Columns, trends: Mapping[str, float]) -> Columns:
        """In how many days the storage is full; FAR_DAYS where it does not shrink."""
        if "free_storage" not in trends:
            return {}
        shrinks_a_day = -trends["free_storage"] * 86400
        free = new.get("free_storage", {})
        days = {at: left / shrinks_a_day if shrinks_a_day > 0 else FAR_DAYS for at, left in free.items()}
        return {"storage_days": {at: min(left, FAR_DAYS) for at, left in days.items()}}

    def derive(self, environment: Environment, new: Columns, before: Mapping[str, Value]) -> Columns:
        """The share of connections used, against the limit the server last told: a full server tells none."""
        told = [*new.get("connection_limit", {}).values()] or [
            value.value for label, value in before.items() if label == "connection_limit"
        ]
        if not told or not told[0]:
            return {}
        return {"connections_used": {at: 100 * used / told[0] for at, used in new.get("connections", {}).items()}}
