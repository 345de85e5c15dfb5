"""Snapshots of simulated DB clusters, and what the account may have of RDS."""

import copy
from dataclasses import dataclass, field
from datetime import datetime

from novaops.sandbox.aws import rds_copies
from novaops.sandbox.aws.query import Document
from novaops.sandbox.aws.rds_clusters import NOVA_CLUSTER, Cluster, find_cluster
from novaops.sandbox.aws.rds_model import (
    INSTANCE_QUOTA,
    checked_name,
    copies,
    events,
    filtered,
    find,
    instances,
    snapshots,
)
from novaops.sandbox.aws.rds_snapshots import MANUAL_QUOTA, TAKES_S
from novaops.sandbox.aws.wire import AwsError, Params, arn
from novaops.sandbox.world import world

FILTERS = {
    "db-cluster-id": ("DBClusterIdentifier",),
    "db-cluster-snapshot-id": ("DBClusterSnapshotIdentifier", "DBClusterSnapshotArn"),
    "snapshot-type": ("SnapshotType",),
    "engine": ("Engine",),
}
SAME_NAME = ("DBClusterIdentifier", "DbClusterResourceId", "Engine", "EngineVersion", "AllocatedStorage",
             "AvailabilityZones", "ClusterCreateTime", "MasterUsername", "StorageEncrypted", "Port")  # fmt: skip


@dataclass
class ClusterSnapshot:
    """One snapshot of a cluster; `wire` is what DescribeDBClusterSnapshots says once it is finished.

    `settings` are those of the writer, for an instance that is restored from it.
    """

    wire: Document
    settings: Document = field(default_factory=dict)
    started_at: datetime = field(default_factory=world.now)

    @property
    def id(self) -> str:
        return str(self.wire["DBClusterSnapshotIdentifier"])

    def described(self) -> Document:
        """The document of this moment; PercentProgress grows with time until it is available."""
        if self.wire["Status"] != "creating":
            return {**self.wire, "PercentProgress": 100}
        elapsed_s = (world.now() - self.started_at).total_seconds()
        return {**self.wire, "PercentProgress": min(99, int(100 * elapsed_s / world.seconds(TAKES_S)))}


cluster_snapshots: dict[str, ClusterSnapshot] = {}


def create_db_cluster_snapshot(params: Params) -> Document:
    """CreateDBClusterSnapshot: `creating` with its progress for two minutes; the cluster goes on meanwhile."""
    cluster = find_cluster(params["DBClusterIdentifier"])
    if cluster.wire["Status"] != "available":
        raise AwsError("InvalidDBClusterStateFault", f"DB cluster {cluster.id} is not in available state.")
    made = _take(cluster, _free(params["DBClusterSnapshotIdentifier"]), "manual", params.get("Tags") or [])
    events.add(made.id, "db-cluster-snapshot", "Creating manual cluster snapshot", "backup", arn=_arn(made.id))
    return {"DBClusterSnapshot": made.described()}


def describe_db_cluster_snapshots(params: Params) -> Document:
    """DescribeDBClusterSnapshots: by snapshot, cluster, type or filter."""
    name, source = params.get("DBClusterSnapshotIdentifier"), params.get("DBClusterIdentifier")
    kind = params.get("SnapshotType")
    found = [_find(name)] if name else list(cluster_snapshots.values())
    documents = [
        snapshot.described()
        for snapshot in sorted(found, key=lambda snapshot: snapshot.started_at)
        if (not source or snapshot.wire["DBClusterIdentifier"] == source.lower())
        and (not kind or snapshot.wire["SnapshotType"] == kind)
    ]
    return filtered(documents, params, FILTERS, "DBClusterSnapshots")


def delete_db_cluster_snapshot(params: Params) -> Document:
    """DeleteDBClusterSnapshot: manual and available ones only."""
    snapshot = _find(params["DBClusterSnapshotIdentifier"])
    if snapshot.wire["SnapshotType"] != "manual" or snapshot.wire["Status"] != "available":
        raise AwsError("InvalidDBClusterSnapshotStateFault", f"Cannot delete the cluster snapshot {snapshot.id}.")
    del cluster_snapshots[snapshot.id]
    for hook in copies.on_snapshot_gone:
        hook(snapshot.id)
    return {"DBClusterSnapshot": {**snapshot.described(), "Status": "deleted"}}


def describe_account_attributes(_: Params) -> Document:
    """DescribeAccountAttributes: what counts against the quotas that NovaOps asks about."""
    manual = sum(one.wire["SnapshotType"] == "manual" for one in snapshots.values())
    of_clusters = sum(one.wire["SnapshotType"] == "manual" for one in cluster_snapshots.values())
    used = {
        "DBInstances": (len(instances), INSTANCE_QUOTA),
        "AllocatedStorage": (sum(one.wire["AllocatedStorage"] for one in instances.values()), 100_000),
        "ManualSnapshots": (manual, MANUAL_QUOTA),
        "ManualClusterSnapshots": (of_clusters, MANUAL_QUOTA),
    }
    quotas = [{"AccountQuotaName": name, "Used": now, "Max": most} for name, (now, most) in used.items()]
    return {"AccountQuotas": quotas}


def forget() -> None:
    """No cluster snapshot and no copy is left."""
    cluster_snapshots.clear()
    rds_copies.copies.clear()


def _take(cluster: Cluster, identifier: str, kind: str, tags: list[Document]) -> ClusterSnapshot:
    wire = {name: copy.deepcopy(cluster.wire[name]) for name in SAME_NAME if name in cluster.wire}
    names = {"DBClusterSnapshotIdentifier": identifier, "DBClusterSnapshotArn": _arn(identifier)}
    own = {"SnapshotType": kind, "Status": "creating", "SnapshotCreateTime": world.now(), "TagList": tags}
    settings = {name: value for name, value in find(cluster.writer).wire.items() if name != "DBClusterIdentifier"}
    made = cluster_snapshots[identifier] = ClusterSnapshot({**wire, **names, **own}, copy.deepcopy(settings))
    if cluster.id == NOVA_CLUSTER:
        for hook in copies.on_snapshot:
            hook(cluster.id, identifier)
    world.later(TAKES_S, lambda: made.wire.update(Status="available"))
    return made


def usable(identifier: str) -> ClusterSnapshot:
    """The snapshot of that name or ARN, which must be finished."""
    snapshot = _find(identifier)
    if snapshot.wire["Status"] != "available":
        raise AwsError("InvalidDBClusterSnapshotStateFault", f"{snapshot.id} is not in available state.")
    return snapshot


def _free(name: str) -> str:
    identifier = checked_name(name, "DBClusterSnapshotIdentifier", 63)
    if identifier in cluster_snapshots:
        raise AwsError("DBClusterSnapshotAlreadyExistsFault", f"A cluster snapshot named {name} already exists.")
    if sum(one.wire["SnapshotType"] == "manual" for one in cluster_snapshots.values()) >= MANUAL_QUOTA:
        raise AwsError("SnapshotQuotaExceeded", f"Cannot create more than {MANUAL_QUOTA} manual cluster snapshots")
    return identifier


def _find(identifier: str) -> ClusterSnapshot:
    snapshot = cluster_snapshots.get(identifier.split(":cluster-snapshot:")[-1].lower())
    if snapshot is None:
        raise AwsError("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot {identifier} not found.", 404)
    return snapshot


def _arn(identifier: str) -> str:
    return arn("rds", f"cluster-snapshot:{identifier}")
