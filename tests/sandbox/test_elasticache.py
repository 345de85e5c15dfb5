"""The simulated ElastiCache behaves as FACTS C says the real one does: failover, parameters, scaling, events."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from novaops.sandbox.aws import elasticache
from tests.sandbox.simulated_aws import Clock, client, fresh_world, refused, served

CACHE = "nova-cache"
NODE_GROUP = {"ReplicationGroupId": CACHE, "NodeGroupId": "0001"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    elasticache.install()
    with served() as address:
        yield address


@pytest.fixture
def clock() -> Iterator[Clock]:
    with fresh_world() as clock:
        elasticache.reset()
        elasticache.seed()
        yield clock
    elasticache.reset()
    for hooks in (elasticache.on_failover, elasticache.on_parameter, elasticache.on_node_type):
        hooks.clear()


@pytest.fixture
def aws(address: str, clock: Clock) -> Any:
    return client("elasticache", address)


def group(aws: Any, name: str = CACHE) -> Any:
    return aws.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]


def roles(aws: Any, name: str = CACHE) -> dict[str, str]:
    members = group(aws, name)["NodeGroups"][0]["NodeGroupMembers"]
    return {member["CacheClusterId"]: member["CurrentRole"] for member in members}


def modify(aws: Any, **params: Any) -> Any:
    return aws.modify_replication_group(ReplicationGroupId=CACHE, ApplyImmediately=True, **params)["ReplicationGroup"]


def without_failover(aws: Any, clock: Clock) -> None:
    modify(aws, MultiAZEnabled=False, AutomaticFailoverEnabled=False)
    clock.passes(30)


def custom_group(aws: Any, name: str = "nova-redis7", family: str = "redis7") -> str:
    aws.create_cache_parameter_group(CacheParameterGroupName=name, CacheParameterGroupFamily=family, Description="Nova")
    return name


def policy(aws: Any, name: str) -> Any:
    pages = aws.get_paginator("describe_cache_parameters").paginate(CacheParameterGroupName=name)
    return next(item for page in pages for item in page["Parameters"] if item["ParameterName"] == "maxmemory-policy")


def set_policy(aws: Any, name: str, value: str) -> None:
    aws.modify_cache_parameter_group(
        CacheParameterGroupName=name,
        ParameterNameValues=[{"ParameterName": "maxmemory-policy", "ParameterValue": value}],
    )


def test_it_describes_nova_as_production_has_it(aws: Any) -> None:
    now = group(aws)
    assert (now["Status"], now["AutomaticFailover"], now["MultiAZ"]) == ("available", "enabled", "enabled")
    assert (now["CacheNodeType"], now["ClusterEnabled"]) == ("cache.t4g.small", False)
    assert now["MemberClusters"] == ["nova-cache-001", "nova-cache-002"]
    members = now["NodeGroups"][0]["NodeGroupMembers"]
    assert [member["CurrentRole"] for member in members] == ["primary", "replica"]
    assert [member["PreferredAvailabilityZone"] for member in members] == ["eu-west-1a", "eu-west-1b"]
    assert now["NodeGroups"][0]["PrimaryEndpoint"]["Port"] == 6379
    clusters = aws.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
    assert {item["CacheParameterGroup"]["CacheParameterGroupName"] for item in clusters} == {"default.redis7"}
    assert [len(item["CacheNodes"]) for item in clusters] == [1, 1]


def test_a_failover_swaps_the_roles_and_the_status_never_tells(aws: Any, clock: Clock) -> None:
    answer = aws.test_failover(**NODE_GROUP)["ReplicationGroup"]
    assert answer["Status"] == "available"
    aws.get_waiter("replication_group_available").wait(
        ReplicationGroupId=CACHE, WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )
    assert roles(aws) == {"nova-cache-001": "primary", "nova-cache-002": "replica"}
    clock.passes(20)
    assert group(aws)["Status"] == "available"
    assert roles(aws) == {"nova-cache-001": "replica", "nova-cache-002": "primary"}


def test_a_failover_tells_its_five_events_in_order(aws: Any, clock: Clock) -> None:
    aws.test_failover(**NODE_GROUP)
    clock.passes(239)
    assert len(aws.describe_events()["Events"]) == 4
    clock.passes(1)
    told = [(event["SourceType"], event["Message"]) for event in aws.describe_events()["Events"]]
    moved = "Failover from primary node nova-cache-001 to replica node nova-cache-002 completed"
    assert told == [
        ("replication-group", "Test Failover API called for node group 0001"),
        ("cache-cluster", moved),
        ("replication-group", moved),
        ("cache-cluster", "Recovering cache nodes 0001"),
        ("cache-cluster", "Finished recovery for cache nodes 0001"),
    ]
    own = aws.describe_events(SourceIdentifier=CACHE, SourceType="replication-group")["Events"]
    assert len(own) == 2
    assert aws.describe_events(StartTime=clock.now - timedelta(seconds=1))["Events"] != []


def test_a_failover_tells_the_world_once(aws: Any, clock: Clock) -> None:
    told: list[tuple[str, str]] = []
    elasticache.on_failover.append(lambda name, node: told.append((name, node)))
    aws.test_failover(**NODE_GROUP)
    clock.passes(240)
    assert told == [(CACHE, "nova-cache-002")]


def test_it_refuses_a_failover_until_the_last_one_has_recovered(aws: Any, clock: Clock) -> None:
    aws.test_failover(**NODE_GROUP)
    clock.passes(60)
    refused("InvalidReplicationGroupState", aws.test_failover, **NODE_GROUP)
    clock.passes(180)
    aws.test_failover(**NODE_GROUP)
    clock.passes(20)
    assert roles(aws)["nova-cache-001"] == "primary"


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("ReplicationGroupNotFoundFault", {"ReplicationGroupId": "no-such"}),
        ("NodeGroupNotFoundFault", {"NodeGroupId": "0002"}),
    ],
)
def test_it_says_what_is_not_there(aws: Any, code: str, params: dict[str, str]) -> None:
    refused(code, aws.test_failover, **(NODE_GROUP | params))
    assert aws.describe_events()["Events"] == []


def test_it_refuses_a_failover_where_automatic_failover_is_off_or_on_its_way(aws: Any, clock: Clock) -> None:
    without_failover(aws, clock)
    refused("TestFailoverNotAvailableFault", aws.test_failover, **NODE_GROUP)
    modify(aws, AutomaticFailoverEnabled=True)
    assert group(aws)["AutomaticFailover"] == "enabling"
    refused("InvalidReplicationGroupState", aws.test_failover, **NODE_GROUP)
    clock.passes(30)
    aws.test_failover(**NODE_GROUP)


def test_it_allows_fifteen_failovers_in_any_twenty_four_hours(aws: Any, clock: Clock) -> None:
    start = clock.now
    for _ in range(15):
        aws.test_failover(**NODE_GROUP)
        clock.passes(240)
    refused("APICallRateForCustomerExceeded", aws.test_failover, **NODE_GROUP)
    clock.set(start + timedelta(hours=23, minutes=59))
    refused("APICallRateForCustomerExceeded", aws.test_failover, **NODE_GROUP)
    clock.set(start + timedelta(hours=24, seconds=1))
    aws.test_failover(**NODE_GROUP)


def test_a_promotion_needs_automatic_failover_off(aws: Any, clock: Clock) -> None:
    promote = {"ReplicationGroupId": CACHE, "PrimaryClusterId": "nova-cache-002", "ApplyImmediately": True}
    refused("InvalidParameterCombination", aws.modify_replication_group, **promote)
    without_failover(aws, clock)
    refused("InvalidParameterValue", aws.modify_replication_group, **(promote | {"PrimaryClusterId": "other-001"}))
    aws.modify_replication_group(**promote)
    assert group(aws)["Status"] == "modifying"
    clock.passes(30)
    assert group(aws)["Status"] == "available"
    assert roles(aws)["nova-cache-002"] == "primary"


def test_multi_az_needs_automatic_failover(aws: Any, clock: Clock) -> None:
    off = {"ReplicationGroupId": CACHE, "AutomaticFailoverEnabled": False, "ApplyImmediately": True}
    refused("InvalidParameterCombination", aws.modify_replication_group, **off)
    without_failover(aws, clock)
    assert (group(aws)["AutomaticFailover"], group(aws)["MultiAZ"]) == ("disabled", "disabled")
    modify(aws, AutomaticFailoverEnabled=True, MultiAZEnabled=True)
    clock.passes(30)
    assert (group(aws)["AutomaticFailover"], group(aws)["MultiAZ"]) == ("enabled", "enabled")


def test_a_default_parameter_group_cannot_be_changed(aws: Any) -> None:
    assert policy(aws, "default.redis7")["ParameterValue"] == "volatile-lru"
    with pytest.raises(Exception, match="default"):
        set_policy(aws, "default.redis7", "allkeys-lru")
    assert policy(aws, "default.redis7")["ParameterValue"] == "volatile-lru"


def test_the_way_to_another_eviction_policy(aws: Any, clock: Clock) -> None:
    told: list[tuple[str, str, str]] = []
    elasticache.on_parameter.append(lambda name, parameter, value: told.append((name, parameter, value)))
    name = custom_group(aws)
    set_policy(aws, name, "allkeys-lru")
    assert (policy(aws, name)["ParameterValue"], policy(aws, name)["Source"]) == ("allkeys-lru", "user")
    assert told == []
    modify(aws, CacheParameterGroupName=name)
    assert group(aws)["Status"] == "modifying"
    clock.passes(20)
    used = aws.describe_cache_clusters(CacheClusterId="nova-cache-001")["CacheClusters"][0]["CacheParameterGroup"]
    assert (used["CacheParameterGroupName"], used["ParameterApplyStatus"]) == (name, "in-sync")
    assert told == [(CACHE, "maxmemory-policy", "allkeys-lru")]
    set_policy(aws, name, "noeviction")
    clock.passes(20)
    aws.reset_cache_parameter_group(CacheParameterGroupName=name, ResetAllParameters=True)
    clock.passes(20)
    assert [value for _, _, value in told] == ["allkeys-lru", "noeviction", "volatile-lru"]
    refused("InvalidCacheParameterGroupState", aws.delete_cache_parameter_group, CacheParameterGroupName=name)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("InvalidParameterValue", [("maxmemory-policy", "most-lru")]),
        ("InvalidParameterValue", [("no-such", "1")]),
        ("InvalidParameterValue", [("cluster-enabled", "yes")]),
        ("InvalidParameterValue", [("reserved-memory-percent", "101")]),
        ("InvalidParameterValue", [("timeout", "soon")]),
        ("InvalidParameterCombination", [(f"parameter-{number}", "1") for number in range(21)]),
    ],
)
def test_it_refuses_an_invalid_parameter(aws: Any, code: str, changes: list[tuple[str, str]]) -> None:
    name = custom_group(aws)
    values = [{"ParameterName": parameter, "ParameterValue": value} for parameter, value in changes]
    refused(code, aws.modify_cache_parameter_group, CacheParameterGroupName=name, ParameterNameValues=values)
    assert aws.describe_cache_parameters(CacheParameterGroupName=name, Source="user")["Parameters"] == []


def test_a_parameter_that_needs_a_reboot_waits_for_it(aws: Any, clock: Clock) -> None:
    told: list[str] = []
    elasticache.on_parameter.append(lambda name, parameter, value: told.append(parameter))
    name = custom_group(aws)
    modify(aws, CacheParameterGroupName=name)
    clock.passes(20)
    aws.modify_cache_parameter_group(
        CacheParameterGroupName=name, ParameterNameValues=[{"ParameterName": "databases", "ParameterValue": "32"}]
    )
    clock.passes(20)
    used = aws.describe_cache_clusters()["CacheClusters"][0]["CacheParameterGroup"]
    assert used["ParameterApplyStatus"] == "pending-reboot"
    assert told == []


def test_parameter_groups_have_names_and_families(aws: Any) -> None:
    names = {item["CacheParameterGroupName"] for item in aws.describe_cache_parameter_groups()["CacheParameterGroups"]}
    assert "default.redis7" in names
    name, again = custom_group(aws), {"CacheParameterGroupFamily": "redis7", "Description": "again"}
    refused("CacheParameterGroupAlreadyExists", aws.create_cache_parameter_group, CacheParameterGroupName=name, **again)
    refused("CacheParameterGroupNotFound", aws.describe_cache_parameters, CacheParameterGroupName="no-such")
    custom_group(aws, "old", "redis6.x")
    message = refused(
        "InvalidParameterCombination",
        aws.modify_replication_group,
        ReplicationGroupId=CACHE,
        CacheParameterGroupName="old",
        ApplyImmediately=True,
    )
    assert message == "Expected a parameter group of family redis7 but found one of family redis6.x"
    aws.delete_cache_parameter_group(CacheParameterGroupName=name)
    refused("CacheParameterGroupNotFound", aws.describe_cache_parameter_groups, CacheParameterGroupName=name)


def test_scaling_takes_five_minutes_and_shows_only_at_the_end(aws: Any, clock: Clock) -> None:
    allowed = aws.list_allowed_node_type_modifications(ReplicationGroupId=CACHE)
    assert "cache.t4g.medium" in allowed["ScaleUpModifications"]
    assert allowed["ScaleDownModifications"] == ["cache.t4g.micro"]
    told: list[tuple[str, str]] = []
    elasticache.on_node_type.append(lambda name, kind: told.append((name, kind)))
    answer = modify(aws, CacheNodeType="cache.t4g.medium")
    assert (answer["Status"], answer["CacheNodeType"]) == ("modifying", "cache.t4g.small")
    assert answer.get("PendingModifiedValues", {}) == {}
    clock.passes(299)
    assert (group(aws)["Status"], told) == ("modifying", [])
    refused("InvalidReplicationGroupState", aws.test_failover, **NODE_GROUP)
    refused("InvalidReplicationGroupState", aws.modify_replication_group, ReplicationGroupId=CACHE)
    clock.passes(1)
    assert (group(aws)["Status"], group(aws)["CacheNodeType"]) == ("available", "cache.t4g.medium")
    assert told == [(CACHE, "cache.t4g.medium")]


def test_without_apply_immediately_nothing_happens_yet(aws: Any, clock: Clock) -> None:
    aws.modify_replication_group(ReplicationGroupId=CACHE, CacheNodeType="cache.t4g.medium")
    clock.passes(3600)
    assert (group(aws)["Status"], group(aws)["CacheNodeType"]) == ("available", "cache.t4g.small")


def test_it_refuses_a_change_it_would_not_make(aws: Any) -> None:
    message = refused(
        "InvalidParameterValue", aws.modify_replication_group, ReplicationGroupId=CACHE, EngineVersion="7.2"
    )
    assert "EngineVersion" in message
    refused(
        "InvalidParameterValue", aws.modify_replication_group, ReplicationGroupId=CACHE, CacheNodeType="cache.x.large"
    )


def test_a_group_of_one_node_cannot_fail_over(aws: Any, clock: Clock) -> None:
    lonely = {"ReplicationGroupId": "lonely", "ReplicationGroupDescription": "one", "CacheNodeType": "cache.t4g.micro"}
    refused("InvalidParameterCombination", aws.create_replication_group, **lonely, AutomaticFailoverEnabled=True)
    aws.create_replication_group(**lonely)
    refused("InvalidReplicationGroupState", aws.test_failover, ReplicationGroupId="lonely", NodeGroupId="0001")
    clock.passes(300)
    refused("TestFailoverNotAvailableFault", aws.test_failover, ReplicationGroupId="lonely", NodeGroupId="0001")
    refused("ReplicationGroupAlreadyExists", aws.create_replication_group, **lonely)
    aws.delete_replication_group(ReplicationGroupId="lonely")
    clock.passes(120)
    refused("ReplicationGroupNotFoundFault", aws.describe_replication_groups, ReplicationGroupId="lonely")


def test_a_group_has_as_many_nodes_as_asked_for(aws: Any) -> None:
    aws.create_replication_group(
        ReplicationGroupId="three",
        ReplicationGroupDescription="three nodes",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=3,
        AutomaticFailoverEnabled=True,
    )
    assert list(roles(aws, "three").values()) == ["primary", "replica", "replica"]
    refused("CacheClusterNotFound", aws.describe_cache_clusters, CacheClusterId="three-004")
