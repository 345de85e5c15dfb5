"""RDS: the database instance or cluster as AWS describes it, and its events (FACTS B)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from novaops.cloud import aws
from novaops.environment import Environment

REBOOT = aws.Operation("rds:RebootDBInstance")
FAIL_OVER_CLUSTER = aws.Operation("rds:FailoverDBCluster")


@dataclass(frozen=True, kw_only=True)
class Database:
    """An instance or cluster. `zone` is where the writer runs, `standby_zone` where a Multi-AZ standby waits.

    `cluster` is the DB cluster that an instance is a member of, empty where it is none.
    """

    id: str
    status: str
    multi_az: bool
    zone: str
    standby_zone: str
    instance_class: str
    engine: str
    storage_gb: int
    endpoint: str
    latest_restorable_at: datetime | None
    backup_retention_days: int
    cluster: str = ""
    writer: str = ""
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Event:
    """What RDS says happened. Best effort: its absence proves nothing (FACTS B2)."""

    at: datetime
    message: str
    categories: tuple[str, ...]


def describe(environment: Environment) -> Database:
    """The environment's database now. Raises Refused where AWS does not know it."""
    if environment.database.kind == "cluster":
        return describe_cluster(environment, environment.database.target)
    return describe_instance(environment, environment.database.target)


def describe_instance(environment: Environment, instance_id: str) -> Database:
    """The DB instance of that identifier."""
    answer = aws.read(environment, "rds:DescribeDBInstances", DBInstanceIdentifier=instance_id)
    found = answer["DBInstances"][0]
    return Database(
        id=found["DBInstanceIdentifier"],
        status=found["DBInstanceStatus"],
        multi_az=found.get("MultiAZ", False),
        zone=found.get("AvailabilityZone", ""),
        standby_zone=found.get("SecondaryAvailabilityZone", ""),
        instance_class=found["DBInstanceClass"],
        engine=f"{found['Engine']} {found.get('EngineVersion', '')}".rstrip(),
        storage_gb=found.get("AllocatedStorage", 0),
        endpoint=found.get("Endpoint", {}).get("Address", ""),
        latest_restorable_at=found.get("LatestRestorableTime"),
        backup_retention_days=found.get("BackupRetentionPeriod", 0),
        cluster=found.get("DBClusterIdentifier", ""),
        writer=found["DBInstanceIdentifier"],
        readers=tuple(found.get("ReadReplicaDBInstanceIdentifiers", [])),
    )


def describe_cluster(environment: Environment, cluster_id: str) -> Database:
    """The DB cluster of that identifier."""
    answer = aws.read(environment, "rds:DescribeDBClusters", DBClusterIdentifier=cluster_id)
    found = answer["DBClusters"][0]
    members = {member["DBInstanceIdentifier"]: member["IsClusterWriter"] for member in found["DBClusterMembers"]}
    return Database(
        id=found["DBClusterIdentifier"],
        status=found["Status"],
        multi_az=found.get("MultiAZ", False),
        zone=", ".join(found.get("AvailabilityZones", [])),
        standby_zone="",
        instance_class=found.get("DBClusterInstanceClass", ""),
        engine=f"{found['Engine']} {found.get('EngineVersion', '')}".rstrip(),
        storage_gb=found.get("AllocatedStorage", 0),
        endpoint=found.get("Endpoint", ""),
        latest_restorable_at=found.get("LatestRestorableTime"),
        backup_retention_days=found.get("BackupRetentionPeriod", 0),
        cluster=found["DBClusterIdentifier"],
        writer=next((name for name, writes in members.items() if writes), ""),
        readers=tuple(name for name, writes in members.items() if not writes),
    )


@dataclass(frozen=True, kw_only=True)
class ProxyTarget:
    """What a proxy connects to. `state` is AVAILABLE, REGISTERING or UNAVAILABLE; `why` explains the latter."""

    id: str
    state: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """An RDS Proxy and the health of its targets."""

    name: str
    status: str
    endpoint: str
    requires_tls: bool
    targets: tuple[ProxyTarget, ...]


def describe_proxy(environment: Environment, name: str) -> Proxy:
    """The proxy of that name with its targets. Raises Refused where there is none."""
    proxy = aws.read(environment, "rds:DescribeDBProxies", DBProxyName=name)["DBProxies"][0]
    targets = aws.read(environment, "rds:DescribeDBProxyTargets", DBProxyName=name)["Targets"]
    return Proxy(
        name=proxy["DBProxyName"],
        status=proxy["Status"],
        endpoint=proxy["Endpoint"],
        requires_tls=proxy.get("RequireTLS", False),
        targets=tuple(_proxy_target(one) for one in targets),
    )


def _proxy_target(found: dict[str, Any]) -> ProxyTarget:
    health = found.get("TargetHealth", {})
    return ProxyTarget(
        id=found.get("RdsResourceId", ""), state=health.get("State", ""), why=health.get("Description", "")
    )


def events(environment: Environment, source_id: str, source_type: str, since: datetime) -> list[Event]:
    """The events of a source (`db-instance`, `db-cluster`, `db-snapshot`) since a time, oldest first."""
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"SourceIdentifier": source_id, "SourceType": source_type, "StartTime": since}
    while True:
        page = aws.read(environment, "rds:DescribeEvents", **params)
        found += page["Events"]
        if not page.get("Marker"):
            break
        params["Marker"] = page["Marker"]
    told = (
        Event(at=one["Date"], message=one["Message"], categories=tuple(one.get("EventCategories", []))) for one in found
    )
    return sorted(told, key=lambda event: event.at)
