"""Simulated Multi-AZ DB clusters: one writer, two readers, and the failover that moves the writer."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from novaops.sandbox.aws import rds_options
from novaops.sandbox.aws.query import ZONES, Document, page
from novaops.sandbox.aws.rds_model import (
    LOGS_SHIPPED_EVERY_S,
    checked_name,
    endpoint,
    events,
    find,
    fresh,
    instances,
    restarted,
)
from novaops.sandbox.aws.wire import REGION, AwsError, Params, arn
from novaops.sandbox.world import world

# A cluster of this name, where somebody makes one, has Nova's database, too.
NOVA_CLUSTER = "nova"
COPIED = ("Engine", "EngineVersion", "MasterUsername", "AllocatedStorage", "StorageEncrypted", "BackupRetentionPeriod",
          "PreferredBackupWindow", "DeletionProtection")  # fmt: skip


@dataclass
class Cluster:
    """One DB cluster; its members are instances of their own."""

    wire: Document
    members: list[str] = field(default_factory=list)
    writer: str = ""
    restorable_from: datetime | None = None

    @property
    def id(self) -> str:
        return str(self.wire["DBClusterIdentifier"])

    def say(self, message: str, *categories: str) -> None:
        events.add(self.id, "db-cluster", message, *categories, arn=self.wire["DBClusterArn"])

    def described(self) -> Document:
        """The DBCluster document of this moment."""
        members = [
            {
                "DBInstanceIdentifier": member,
                "IsClusterWriter": member == self.writer,
                "DBClusterParameterGroupStatus": "in-sync",
                "PromotionTier": 1,
            }
            for member in self.members
        ]
        return {**self.wire, **self._restorable(), "DBClusterMembers": members}

    def _restorable(self) -> Document:
        """From when to when it can be restored: logs ship every five simulated minutes."""
        if self.restorable_from is None or not self.wire["BackupRetentionPeriod"]:
            return {}
        step_s = world.seconds(LOGS_SHIPPED_EVERY_S)
        behind = timedelta(seconds=(world.now() - self.restorable_from).total_seconds() % step_s)
        return {"EarliestRestorableTime": self.restorable_from, "LatestRestorableTime": world.now() - behind}


clusters: dict[str, Cluster] = {}


def create_db_cluster(params: Params) -> Document:
    """CreateDBCluster (Multi-AZ, PostgreSQL): three members in three zones, `available` after four minutes."""
    identifier = checked_name(params["DBClusterIdentifier"], "DBClusterIdentifier", 52)
    if identifier in clusters:
        raise AwsError("DBClusterAlreadyExistsFault", f"DB Cluster already exists: {identifier}")
    cluster = clusters[identifier] = Cluster(_document(identifier, params))
    for number, zone in enumerate(ZONES, start=1):
        settings = {**rds_options.defaults(), "AvailabilityZone": zone, "DBClusterIdentifier": identifier}
        member = fresh(f"{identifier}-instance-{number}", settings)
        member.wire["Endpoint"] = endpoint(member.address, 5432)
        cluster.members.append(member.id)
    cluster.writer = cluster.members[0]
    world.later(240, lambda: _up(cluster))
    return {"DBCluster": cluster.described()}


def describe_db_clusters(params: Params) -> Document:
    """DescribeDBClusters: all or the named one."""
    name = params.get("DBClusterIdentifier")
    found = [find_cluster(name)] if name else list(clusters.values())
    return page([cluster.described() for cluster in found], params, "DBClusters")


def failover_db_cluster(params: Params) -> Document:
    """FailoverDBCluster: the target, or the first available reader, becomes the writer within 35 s."""
    cluster = find_cluster(params["DBClusterIdentifier"])
    if cluster.wire["Status"] != "available":
        raise AwsError("InvalidDBClusterStateFault", f"DB cluster {cluster.id} is not in available state.")
    target = _target(cluster, params.get("TargetDBInstanceIdentifier"))
    cluster.wire["Status"] = "failing-over"
    cluster.say(f"Started cross AZ failover to DB instance: {target}", "failover")
    former = find(cluster.writer)
    restarted(former)

    def completed() -> None:
        cluster.writer = target
        cluster.wire["AvailabilityZone"] = find(target).wire["AvailabilityZone"]
        former.say("DB instance restarted", "availability")
        cluster.say(f"Completed failover to DB instance: {target}", "failover")

    world.later(25, completed)
    world.later(35, lambda: cluster.wire.update(Status="available"))
    return {"DBCluster": cluster.described()}


def delete_db_cluster(params: Params) -> Document:
    """DeleteDBCluster with its members; a final snapshot is not simulated."""
    cluster = find_cluster(params["DBClusterIdentifier"])
    if cluster.wire["DeletionProtection"]:
        raise AwsError("InvalidParameterCombination", "Cannot delete protected Cluster, please disable it first.")
    cluster.wire["Status"] = "deleting"

    def gone() -> None:
        for member in cluster.members:
            instances.pop(member, None)
        clusters.pop(cluster.id, None)

    world.later(120, gone)
    return {"DBCluster": cluster.described()}


def find_cluster(identifier: str) -> Cluster:
    """The cluster of that name; an instance's name is not one."""
    cluster = clusters.get(identifier.lower())
    if cluster is None:
        raise AwsError("DBClusterNotFoundFault", f"DBCluster {identifier} not found.")
    return cluster


def writer_of(identifier: str) -> str:
    """The writer of that cluster; empty where there is none."""
    cluster = clusters.get(identifier)
    return cluster.writer if cluster else ""


def _target(cluster: Cluster, asked: str | None) -> str:
    readers = [member for member in cluster.members if member != cluster.writer and find(member).status == "available"]
    if not readers:
        raise AwsError("InvalidDBClusterStateFault", f"DB cluster {cluster.id} has no available reader.")
    if asked and asked.lower() not in cluster.members:
        raise AwsError("InvalidParameterValue", f"DB instance {asked} is not a member of the cluster {cluster.id}.")
    if asked and asked.lower() not in readers:
        raise AwsError("InvalidDBInstanceState", f"DB instance {asked} cannot become the writer in its present state.")
    return asked.lower() if asked else readers[0]


def _up(cluster: Cluster) -> None:
    for member in cluster.members:
        find(member).become("available")
    cluster.wire["Status"] = "available"
    cluster.restorable_from = world.now()
    cluster.say("DB cluster created", "creation")


def _document(identifier: str, params: Params) -> Document:
    defaults = rds_options.defaults()
    return {
        **{name: params.get(name, defaults[name]) for name in COPIED},
        "DBClusterIdentifier": identifier,
        "DBClusterArn": arn("rds", f"cluster:{identifier}"),
        "DbClusterResourceId": f"cluster-{world.hex_id(26).upper()}",
        "Status": "creating",
        "MultiAZ": True,
        "AvailabilityZones": list(ZONES),
        "ClusterCreateTime": world.now(),
        "Endpoint": f"{identifier}.cluster-c0nova1sandb.{REGION}.rds.amazonaws.com",
        "ReaderEndpoint": f"{identifier}.cluster-ro-c0nova1sandb.{REGION}.rds.amazonaws.com",
        "Port": 5432,
        "DBClusterInstanceClass": params.get("DBClusterInstanceClass", "db.m6gd.large"),
    }
