"""The simulated ElastiCache of Nova: puts its operations in place of moto's and creates Nova's replication group."""

from moto.elasticache.responses import ElastiCacheResponse

from novaops.sandbox.aws import elasticache_changes, elasticache_parameters
from novaops.sandbox.aws.elasticache_model import (
    MEMORY_GIB,
    Group,
    Node,
    available,
    events,
    find,
    groups,
    on_failover,
    on_node_type,
    on_parameter,
)
from novaops.sandbox.aws.elasticache_parameters import custom, find_parameters
from novaops.sandbox.aws.query import ZONES, Document, is_true, page, withdraw
from novaops.sandbox.aws.wire import AwsError, Params, arn, attach
from novaops.sandbox.world import world

__all__ = ["find", "install", "on_failover", "on_node_type", "on_parameter", "reset", "seed"]

NOVA_CACHE = "nova-cache"
OUT_OF_SCOPE = ("create_cache_cluster", "delete_cache_cluster", "create_snapshot", "delete_snapshot")


def install() -> None:
    """Put Nova's ElastiCache in place of moto's. Doing it twice changes nothing."""
    attach(ElastiCacheResponse, describe_replication_groups, create_replication_group, delete_replication_group)
    attach(ElastiCacheResponse, describe_cache_clusters, describe_events)
    attach(ElastiCacheResponse, elasticache_changes.test_failover, elasticache_changes.modify_replication_group)
    attach(ElastiCacheResponse, elasticache_changes.list_allowed_node_type_modifications)
    attach(
        ElastiCacheResponse,
        elasticache_parameters.describe_cache_parameter_groups,
        elasticache_parameters.describe_cache_parameters,
        elasticache_parameters.create_cache_parameter_group,
        elasticache_parameters.modify_cache_parameter_group,
        elasticache_parameters.reset_cache_parameter_group,
        elasticache_parameters.delete_cache_parameter_group,
    )
    withdraw(ElastiCacheResponse, OUT_OF_SCOPE)


def reset() -> None:
    """Forget every replication group, parameter group, event and spent quota."""
    groups.clear()
    custom.clear()
    events.clear()
    elasticache_changes.failovers.clear()


def seed() -> None:
    """Nova's replication group as production has it: a primary and a replica in two zones."""
    wanted = {
        "ReplicationGroupId": NOVA_CACHE,
        "ReplicationGroupDescription": "Nova's cache and session store",
        "CacheNodeType": "cache.t4g.small",
        "NumCacheClusters": 2,
        "AutomaticFailoverEnabled": True,
        "MultiAZEnabled": True,
    }
    _build(wanted).become("available")


def describe_replication_groups(params: Params) -> Document:
    """DescribeReplicationGroups: all or the named one."""
    name = params.get("ReplicationGroupId")
    found = [find(name)] if name else list(groups.values())
    return page([group.described() for group in found], params, "ReplicationGroups")


def describe_cache_clusters(params: Params) -> Document:
    """DescribeCacheClusters: the nodes of every replication group, or the named one."""
    name, with_nodes = params.get("CacheClusterId"), is_true(params.get("ShowCacheNodeInfo"))
    found = [
        group.cluster(node, with_nodes=with_nodes)
        for group in groups.values()
        for node in group.nodes
        if name in (None, node.id)
    ]
    if name and not found:
        raise AwsError("CacheClusterNotFound", f"CacheCluster not found: {name}")
    return page(found, params, "CacheClusters")


def describe_events(params: Params) -> Document:
    """DescribeEvents of ElastiCache."""
    return events.describe(params)


def create_replication_group(params: Params) -> Document:
    """CreateReplicationGroup with cluster mode disabled: `creating` for five minutes, then `available`."""
    if params["ReplicationGroupId"].lower() in groups:
        raise AwsError("ReplicationGroupAlreadyExists", f"{params['ReplicationGroupId']} already exists.")
    if int(params.get("NumNodeGroups") or 1) > 1:
        raise AwsError("InvalidParameterValue", "The sandbox simulates one node group: cluster mode disabled.")
    if is_true(params.get("AutomaticFailoverEnabled")) and _node_count(params) < 2:
        raise AwsError("InvalidParameterCombination", "Automatic failover needs at least one replica.")
    if params.get("CacheNodeType") not in MEMORY_GIB:
        raise AwsError("InvalidParameterValue", f"Invalid CacheNodeType: {params.get('CacheNodeType')}")
    group = _build(params)
    world.later(300, lambda: group.become("available"))
    return {"ReplicationGroup": group.described()}


def delete_replication_group(params: Params) -> Document:
    """DeleteReplicationGroup: `deleting` for two minutes, then gone."""
    group = available(params["ReplicationGroupId"])
    group.become("deleting")

    def gone() -> None:
        groups.pop(group.id, None)

    world.later(120, gone)
    return {"ReplicationGroup": group.described()}


def _node_count(params: Params) -> int:
    return int(params.get("NumCacheClusters") or int(params.get("ReplicasPerNodeGroup") or 0) + 1)


def _build(params: Params) -> Group:
    name = params["ReplicationGroupId"].lower()
    zones = params.get("PreferredCacheClusterAZs") or ZONES
    nodes = [
        Node(f"{name}-{number:03}", zones[(number - 1) % len(zones)]) for number in range(1, _node_count(params) + 1)
    ]
    parameters = find_parameters(params.get("CacheParameterGroupName") or "default.redis7").name
    groups[name] = Group(_document(name, params), nodes, nodes[0].id, parameters)
    return groups[name]


def _document(name: str, params: Params) -> Document:
    def switched(parameter: str) -> str:
        return "enabled" if is_true(params.get(parameter)) else "disabled"

    return {
        "ReplicationGroupId": name,
        "Description": params.get("ReplicationGroupDescription", ""),
        "Status": "creating",
        "PendingModifiedValues": {},
        "AutomaticFailover": switched("AutomaticFailoverEnabled"),
        "MultiAZ": switched("MultiAZEnabled"),
        "CacheNodeType": params["CacheNodeType"],
        "Engine": "redis",
        "ClusterEnabled": False,
        "ClusterMode": "disabled",
        "SnapshotRetentionLimit": 1,
        "SnapshotWindow": "02:00-03:00",
        "AutoMinorVersionUpgrade": True,
        "AuthTokenEnabled": False,
        "TransitEncryptionEnabled": True,
        "TransitEncryptionMode": "required",
        "AtRestEncryptionEnabled": True,
        "DataTiering": "disabled",
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        "ReplicationGroupCreateTime": world.now(),
        "ARN": arn("elasticache", f"replicationgroup:{name}"),
    }
