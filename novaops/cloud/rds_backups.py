"""What RDS keeps to restore databases from: restorable times, snapshots of instances and clusters, the quota."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from novaops.cloud import aws, rds_snapshots
from novaops.cloud.errors import Refused
from novaops.cloud.rds_snapshots import Snapshot
from novaops.environment import Environment

CREATE_OF_CLUSTER = aws.Operation("rds:CreateDBClusterSnapshot")
DELETE = aws.Operation("rds:DeleteDBSnapshot")
DELETE_OF_CLUSTER = aws.Operation("rds:DeleteDBClusterSnapshot")
COPY = aws.Operation("rds:CopyDBSnapshot")
ABSENT = frozenset({*rds_snapshots.ABSENT, "DBClusterSnapshotNotFoundFault", "DBClusterNotFoundFault"})
INSTANCE, CLUSTER = "instance", "cluster"
QUOTAS = {INSTANCE: "ManualSnapshots", CLUSTER: "ManualClusterSnapshots"}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How RDS keeps backups of a database. `window` is UTC, as in `03:00-03:30`; `retention_days` 0 means none."""

    id: str
    status: str
    engine: str
    storage_gb: int
    encrypted: bool
    multi_az: bool
    retention_days: int
    window: str
    latest_restorable_at: datetime | None
    created_at: datetime | None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How many manual snapshots the account has in the region, and may have."""

    used: int
    most: int


def copy_into(region: str) -> aws.Operation:
    """The call that copies an instance's snapshot into that region, which is where it is made."""
    return replace(COPY, region=region)


def delete_in(region: str, kind: str) -> aws.Operation:
    """The call that deletes a snapshot of that kind of database there; at home where no region is named."""
    return replace(DELETE_OF_CLUSTER if kind == CLUSTER else DELETE, region=region)


def describe(environment: Environment, kind: str, name: str) -> Kept:
    """How backups of the database are kept now. Raises Refused where AWS knows none of that name."""
    if kind == CLUSTER:
        answer = aws.read(environment, "rds:DescribeDBClusters", DBClusterIdentifier=name)
        return _kept(answer["DBClusters"][0], "DBClusterIdentifier", "Status", "ClusterCreateTime")
    answer = aws.read(environment, "rds:DescribeDBInstances", DBInstanceIdentifier=name)
    return _kept(answer["DBInstances"][0], "DBInstanceIdentifier", "DBInstanceStatus", "InstanceCreateTime")


def _kept(found: dict[str, Any], name: str, status: str, created: str) -> Kept:
    return Kept(
        id=found[name],
        status=found[status],
        engine=f"{found['Engine']} {found.get('EngineVersion', '')}".rstrip(),
        storage_gb=found.get("AllocatedStorage", 0),
        encrypted=found.get("StorageEncrypted", False),
        multi_az=found.get("MultiAZ", False),
        retention_days=found.get("BackupRetentionPeriod", 0),
        window=found.get("PreferredBackupWindow", ""),
        latest_restorable_at=found.get("LatestRestorableTime"),
        created_at=found.get(created),
        tags={tag["Key"]: tag["Value"] for tag in found.get("TagList", [])},
    )


def earliest_restorable_at(environment: Environment, kind: str, name: str) -> datetime | None:
    """The oldest moment that the database can be restored to; None where AWS keeps no automated backup of it."""
    if kind == CLUSTER:
        found = aws.read(environment, "rds:DescribeDBClusters", DBClusterIdentifier=name)["DBClusters"][0]
        earliest: datetime | None = found.get("EarliestRestorableTime")
        return earliest
    try:
        answer = aws.read(environment, "rds:DescribeDBInstanceAutomatedBackups", DBInstanceIdentifier=name)
    except Refused as refusal:
        if refusal.code in ("DBInstanceAutomatedBackupNotFound", "DBInstanceAutomatedBackupNotFoundFault"):
            return None
        raise
    windows = [one.get("RestoreWindow", {}).get("EarliestTime") for one in answer["DBInstanceAutomatedBackups"]]
    return min((at for at in windows if at), default=None)


def snapshots_of(environment: Environment, kind: str, name: str) -> list[Snapshot]:
    """Every snapshot of the database in the environment's region, automated and manual, the newest first."""
    if kind == INSTANCE:
        return rds_snapshots.of_instance(environment, name)
    found = _pages(environment, "rds:DescribeDBClusterSnapshots", "DBClusterSnapshots", DBClusterIdentifier=name)
    told = [_of_cluster(one) for one in found]
    return sorted(told, key=lambda one: (one.created_at is None, one.created_at), reverse=True)


def snapshot(environment: Environment, kind: str, snapshot_id: str) -> Snapshot | None:
    """The snapshot of that name, None where AWS knows none."""
    if kind == INSTANCE:
        return rds_snapshots.describe(environment, snapshot_id)
    try:
        answer = aws.read(environment, "rds:DescribeDBClusterSnapshots", DBClusterSnapshotIdentifier=snapshot_id)
    except Refused as refusal:
        if refusal.code in ABSENT:
            return None
        raise
    return _of_cluster(answer["DBClusterSnapshots"][0])


def quota(environment: Environment, kind: str) -> Quota | None:
    """The quota of manual snapshots of that kind of database; None where AWS tells none."""
    told = aws.read(environment, "rds:DescribeAccountAttributes")["AccountQuotas"]
    found = {one["AccountQuotaName"]: Quota(used=one["Used"], most=one["Max"]) for one in told}
    return found.get(QUOTAS[kind])


def _pages(environment: Environment, operation: str, name: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    marker: dict[str, str] = {}
    while True:
        page = aws.read(environment, operation, **params, **marker)
        found += page[name]
        if not page.get("Marker"):
            return found
        marker = {"Marker": page["Marker"]}


def _of_cluster(found: dict[str, Any]) -> Snapshot:
    return Snapshot(
        id=found["DBClusterSnapshotIdentifier"],
        instance=found["DBClusterIdentifier"],
        kind=found["SnapshotType"],
        status=found["Status"],
        percent=found.get("PercentProgress", 0),
        created_at=found.get("SnapshotCreateTime"),
        size_gb=found.get("AllocatedStorage", 0),
        engine_version=found.get("EngineVersion", ""),
        encrypted=found.get("StorageEncrypted", False),
        tags={tag["Key"]: tag["Value"] for tag in found.get("TagList", [])},
        arn=found.get("DBClusterSnapshotArn", ""),
        kms_key=found.get("KmsKeyId", ""),
        copied_from=found.get("SourceDBClusterSnapshotArn", ""),
    )
