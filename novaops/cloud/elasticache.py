"""ElastiCache: the replication group and its nodes as AWS describes them (FACTS C)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from novaops.cloud import aws
from novaops.environment import Environment

TEST_FAILOVER = aws.Operation("elasticache:TestFailover")
MODIFY_GROUP = aws.Operation("elasticache:ModifyReplicationGroup")
CREATE_PARAMETER_GROUP = aws.Operation("elasticache:CreateCacheParameterGroup")
MODIFY_PARAMETER_GROUP = aws.Operation("elasticache:ModifyCacheParameterGroup")


@dataclass(frozen=True, kw_only=True)
class Node:
    """A cache node. `role` is primary or replica; empty in cluster mode, where AWS does not tell it."""

    id: str
    role: str
    zone: str
    node_group: str


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
        nodes=tuple(
            _node(member, shard["NodeGroupId"])
            for shard in found.get("NodeGroups", [])
            for member in shard["NodeGroupMembers"]
        ),
    )


def _node(member: dict[str, Any], node_group: str) -> Node:
    return Node(
        id=member["CacheClusterId"],
        role=member.get("CurrentRole", ""),
        zone=member.get("PreferredAvailabilityZone", ""),
        node_group=node_group,
    )


@dataclass(frozen=True, kw_only=True)
class CacheCluster:
    """One node as DescribeCacheClusters tells it. `apply_status` is in-sync, applying or pending-reboot."""

    id: str
    group: str
    status: str
    parameter_group: str
    apply_status: str


def cache_clusters(environment: Environment) -> list[CacheCluster]:
    """Every node of every replication group in the region."""
    return [
        CacheCluster(
            id=found["CacheClusterId"],
            group=found.get("ReplicationGroupId", ""),
            status=found["CacheClusterStatus"],
            parameter_group=found.get("CacheParameterGroup", {}).get("CacheParameterGroupName", ""),
            apply_status=found.get("CacheParameterGroup", {}).get("ParameterApplyStatus", ""),
        )
        for found in _pages(
            lambda **more: aws.read(environment, "elasticache:DescribeCacheClusters", **more), "CacheClusters"
        )
    ]


@dataclass(frozen=True, kw_only=True)
class ParameterGroup:
    """A cache parameter group: its family and every value. `own` are the names that somebody set over the defaults."""

    name: str
    family: str
    values: dict[str, str]
    own: tuple[str, ...]

    @property
    def is_default(self) -> bool:
        """Whether it is one of AWS's own, which nobody can change."""
        return self.name.startswith("default.")


def parameter_group(environment: Environment, name: str) -> ParameterGroup:
    """The parameter group of that name. Raises Refused where there is none."""
    described = aws.read(
        environment, "elasticache:DescribeCacheParameterGroups", CacheParameterGroupName=name
    )["CacheParameterGroups"][0]  # fmt: skip
    parameters = _pages(
        lambda **more: aws.read(
            environment, "elasticache:DescribeCacheParameters", CacheParameterGroupName=name, **more
        ),
        "Parameters",
    )
    return ParameterGroup(
        name=name,
        family=described["CacheParameterGroupFamily"],
        values={one["ParameterName"]: one.get("ParameterValue", "") for one in parameters},
        own=tuple(one["ParameterName"] for one in parameters if one.get("Source") == "user"),
    )


def has_parameter_group(environment: Environment, name: str) -> bool:
    """Whether a parameter group of that name exists."""
    groups = _pages(
        lambda **more: aws.read(environment, "elasticache:DescribeCacheParameterGroups", **more), "CacheParameterGroups"
    )
    return any(found["CacheParameterGroupName"] == name for found in groups)


@dataclass(frozen=True, kw_only=True)
class NodeTypes:
    """The node types that a replication group may be changed to."""

    larger: tuple[str, ...]
    smaller: tuple[str, ...]


def allowed_node_types(environment: Environment, group_id: str) -> NodeTypes:
    """What AWS allows the group's nodes to become."""
    answer = aws.read(environment, "elasticache:ListAllowedNodeTypeModifications", ReplicationGroupId=group_id)
    return NodeTypes(
        larger=tuple(answer.get("ScaleUpModifications", [])), smaller=tuple(answer.get("ScaleDownModifications", []))
    )


@dataclass(frozen=True, kw_only=True)
class Event:
    """What ElastiCache says happened, and to what. Its absence proves nothing."""

    at: datetime
    source: str
    message: str


def events(environment: Environment, source_type: str, since: datetime) -> list[Event]:
    """The events of all `replication-group` or `cache-cluster` sources since a time, oldest first."""
    found = _pages(
        lambda **more: aws.read(
            environment, "elasticache:DescribeEvents", SourceType=source_type, StartTime=since, **more
        ),
        "Events",
    )
    told = (Event(at=one["Date"], source=one["SourceIdentifier"], message=one["Message"]) for one in found)
    return sorted(told, key=lambda event: event.at)


def _pages(ask: Callable[..., dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Everything under `name` of all pages."""
    found: list[dict[str, Any]] = []
    marker: dict[str, str] = {}
    while True:
        page = ask(**marker)
        found += page.get(name, [])
        if not page.get("Marker"):
            return found
        marker = {"Marker": page["Marker"]}
