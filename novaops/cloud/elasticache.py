"""ElastiCache: the replication group and its nodes as AWS describes them (FACTS C)."""

from dataclasses import dataclass
from typing import Any

from novaops.cloud import aws
from novaops.environment import Environment


@dataclass(frozen=True, kw_only=True)
class Node:
    """A cache node. `role` is primary or replica; empty in cluster mode, where AWS does not tell it."""

    id: str
    role: str
    zone: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """A replication group. `automatic_failover` is enabled, enabling, disabled or disabling."""

    id: str
    status: str
    automatic_failover: str
    multi_az: bool
    node_type: str
    nodes: tuple[Node, ...]

    @property
    def primary(self) -> Node | None:
        """The node that takes writes, where AWS tells it."""
        return next((node for node in self.nodes if node.role == "primary"), None)

    @property
    def replicas(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.role == "replica")


def describe_group(environment: Environment, group_id: str) -> Group:
    """The replication group of that identifier. Raises Refused where AWS does not know it."""
    answer = aws.read(environment, "elasticache:DescribeReplicationGroups", ReplicationGroupId=group_id)
    found = answer["ReplicationGroups"][0]
    return Group(
        id=found["ReplicationGroupId"],
        status=found["Status"],
        automatic_failover=found.get("AutomaticFailover", "disabled"),
        multi_az=found.get("MultiAZ", "disabled") == "enabled",
        node_type=found.get("CacheNodeType", ""),
        nodes=tuple(_node(member) for shard in found.get("NodeGroups", []) for member in shard["NodeGroupMembers"]),
    )


def _node(member: dict[str, Any]) -> Node:
    return Node(
        id=member["CacheClusterId"],
        role=member.get("CurrentRole", ""),
        zone=member.get("PreferredAvailabilityZone", ""),
    )
