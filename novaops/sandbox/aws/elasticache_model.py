"""What the simulated ElastiCache keeps: replication groups with their nodes, node types, and who listens to changes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from novaops.sandbox.aws.events import EventLog
from novaops.sandbox.aws.query import Document
from novaops.sandbox.aws.wire import AwsError, arn
from novaops.sandbox.world import world

NODE_GROUP = "0001"
"""The only node group where cluster mode is disabled."""
CACHE_NODE = "0001"
DOMAIN = "n0vasb.euw1.cache.amazonaws.com"
PORT = 6379
MEMORY_GIB = {
    "cache.t4g.micro": 0.5,
    "cache.t4g.small": 1.37,
    "cache.t4g.medium": 3.09,
    "cache.m6g.large": 6.38,
    "cache.m7g.large": 6.38,
    "cache.r6g.large": 13.07,
    "cache.r7g.large": 13.07,
    "cache.r6g.xlarge": 26.32,
    "cache.r7g.xlarge": 26.32,
    "cache.r6g.2xlarge": 52.82,
}


@dataclass
class Node:
    """One cache cluster of a replication group; the group says which of its nodes is the primary."""

    id: str
    zone: str
    created_at: datetime = field(default_factory=world.now)


@dataclass
class Group:
    """One replication group with cluster mode disabled: `wire` is what does not depend on the nodes' roles."""

    wire: Document
    nodes: list[Node]
    primary: str
    parameter_group: str
    apply_status: str = "in-sync"
    recovering: bool = False

    @property
    def id(self) -> str:
        return str(self.wire["ReplicationGroupId"])

    @property
    def status(self) -> str:
        return str(self.wire["Status"])

    @property
    def replicas(self) -> list[Node]:
        return [node for node in self.nodes if node.id != self.primary]

    def become(self, status: str) -> None:
        self.wire["Status"] = status

    def say(self, message: str) -> None:
        """Record an event of the group."""
        events.add(self.id, "replication-group", message)

    def promote(self, node: str) -> None:
        """Make the replica the primary, and tell everyone who cares."""
        former, self.primary = self.primary, node
        message = f"Failover from primary node {former} to replica node {node} completed"
        events.add(former, "cache-cluster", message)
        self.say(message)
        for hook in on_failover:
            hook(self.id, node)

    def described(self) -> Document:
        """The ReplicationGroup document of this moment."""
        node_group = {
            "NodeGroupId": NODE_GROUP,
            "Status": self.status,
            "PrimaryEndpoint": _endpoint(f"{self.id}.{{}}.ng.0001"),
            "ReaderEndpoint": _endpoint(f"{self.id}-ro.{{}}.ng.0001"),
            "NodeGroupMembers": [self._member(node) for node in self.nodes],
        }
        return {**self.wire, "MemberClusters": [node.id for node in self.nodes], "NodeGroups": [node_group]}

    def _member(self, node: Node) -> Document:
        return {
            "CacheClusterId": node.id,
            "CacheNodeId": CACHE_NODE,
            "ReadEndpoint": _endpoint(f"{node.id}.{{}}.0001"),
            "PreferredAvailabilityZone": node.zone,
            "CurrentRole": "primary" if node.id == self.primary else "replica",
        }

    def cluster(self, node: Node, *, with_nodes: bool) -> Document:
        """The CacheCluster document of one node."""
        info = {"CacheNodeId": CACHE_NODE, "CacheNodeStatus": self.status, "CustomerAvailabilityZone": node.zone}
        detail = {**info, "Endpoint": _endpoint(f"{node.id}.{{}}.0001"), "CacheNodeCreateTime": node.created_at}
        same = ("CacheNodeType", "Engine", "SnapshotRetentionLimit", "SnapshotWindow", "AutoMinorVersionUpgrade",
                "TransitEncryptionEnabled", "AtRestEncryptionEnabled", "ReplicationGroupId")  # fmt: skip
        return {
            **{name: self.wire[name] for name in same},
            "CacheClusterId": node.id,
            "CacheClusterStatus": self.status,
            "CacheClusterCreateTime": node.created_at,
            "EngineVersion": "7.1.0",
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": node.zone,
            "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
            "PendingModifiedValues": {},
            "CacheSubnetGroupName": "nova-cache",
            "SecurityGroups": [{"SecurityGroupId": "sg-0a1b2c3d4e5f60003", "Status": "active"}],
            "CacheParameterGroup": {
                "CacheParameterGroupName": self.parameter_group,
                "ParameterApplyStatus": self.apply_status,
                "CacheNodeIdsToReboot": [CACHE_NODE] if self.apply_status == "pending-reboot" else [],
            },
            "CacheNodes": [{**detail, "ParameterGroupStatus": self.apply_status}] if with_nodes else [],
            "ARN": arn("elasticache", f"cluster:{node.id}"),
        }


groups: dict[str, Group] = {}
events = EventLog()
on_failover: list[Callable[[str, str], None]] = []
"""Called with the replication group and the node that has become its primary."""
on_parameter: list[Callable[[str, str, str], None]] = []
"""Called with the replication group, a parameter's name and the value that now holds."""
on_node_type: list[Callable[[str, str], None]] = []
"""Called with the replication group and the node type it now has."""


def find(identifier: str) -> Group:
    """The replication group of that name. Refuses as AWS does where there is none."""
    group = groups.get(identifier.lower())
    if group is None:
        raise AwsError("ReplicationGroupNotFoundFault", f"ReplicationGroup {identifier} not found.")
    return group


def available(identifier: str) -> Group:
    """The replication group of that name, which must be in the state that every change of it asks for."""
    group = find(identifier)
    if group.status != "available":
        raise AwsError(
            "InvalidReplicationGroupState",
            f"Replication group {group.id} is not in the available state: its status is {group.status}.",
        )
    return group


def announce(group: Group, changed: Iterable[tuple[str, str]]) -> None:
    """Tell everyone who cares which parameters of the group's nodes have other values now."""
    for name, value in changed:
        for hook in on_parameter:
            hook(group.id, name, value)


def _endpoint(pattern: str) -> Document:
    return {"Address": pattern.format(DOMAIN.split(".", 1)[0]) + "." + DOMAIN.split(".", 1)[1], "Port": PORT}
