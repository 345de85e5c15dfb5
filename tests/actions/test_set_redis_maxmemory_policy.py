"""Set maxmemory-policy: through a parameter group of Nova's own, down to the real Redis."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import aws as calls
from novaops.cloud import elasticache
from novaops.runbook.models import Plan, Run
from novaops.sandbox.child import until
from tests.actions.conftest import FAST
from tests.servers import Nova

pytestmark = pytest.mark.django_db


@pytest.fixture
def fast(aws: Nova, nova_redis: "redis.Redis") -> Nova:
    aws.reset(factor=FAST)
    return aws


def send(operation: Any, **params: Any) -> None:
    operation(environments.default(), params, fence=lambda: True, run_id=0)


def policy_of(client: "redis.Redis") -> str:
    return str(client.config_get("maxmemory-policy")["maxmemory-policy"])


def test_a_default_group_is_replaced_and_redis_has_the_policy(
    fast: Nova, run_through: Callable[..., Run], commander: User, nova_redis: "redis.Redis"
) -> None:
    run = run_through(commander, "set-redis-maxmemory-policy", policy="allkeys-lfu")
    assert (run.status, run.outcome) == ("succeeded", "Redis says maxmemory-policy allkeys-lfu.")
    assert [one["operation"] for one in fast.effects()] == [
        "CreateCacheParameterGroup",
        "ModifyCacheParameterGroup",
        "ModifyReplicationGroup",
    ]
    assert fast.effects()[2]["params"] == {
        "ReplicationGroupId": "nova-cache",
        "CacheParameterGroupName": "nova-cache-redis7",
        "ApplyImmediately": True,
    }
    assert policy_of(nova_redis) == "allkeys-lfu"


def test_a_custom_group_is_changed_in_place(
    fast: Nova, run_through: Callable[..., Run], commander: User, nova_redis: "redis.Redis"
) -> None:
    run_through(commander, "set-redis-maxmemory-policy", policy="allkeys-lfu")
    run = run_through(commander, "set-redis-maxmemory-policy", policy="allkeys-lru")
    assert run.status == "succeeded", run.outcome
    assert [one["operation"] for one in fast.effects()][3:] == ["ModifyCacheParameterGroup"]
    assert policy_of(nova_redis) == "allkeys-lru"


@pytest.mark.parametrize(
    "operation", ["CreateCacheParameterGroup", "ModifyCacheParameterGroup", "ModifyReplicationGroup"]
)
def test_a_lost_answer_does_nothing_twice(
    fast: Nova, run_through: Callable[..., Run], commander: User, operation: str
) -> None:
    fast.faults([{"service": "elasticache", "operation": operation, "kind": "drop-after", "times": 1}])
    run = run_through(commander, "set-redis-maxmemory-policy", policy="allkeys-lfu")
    assert run.status == "succeeded", run.outcome
    assert len(fast.effects()) == 3


def test_the_plan_says_what_changes_and_refuses_what_is_so_already(
    aws: Nova, plan_of: Callable[..., Plan], commander: User
) -> None:
    plan = plan_of(commander, "set-redis-maxmemory-policy", policy="noeviction")
    assert plan.changes == [
        {"what": "maxmemory-policy", "before": "volatile-lru", "after": "noeviction"},
        {"what": "Parameter group", "before": "default.redis7", "after": "nova-cache-redis7"},
    ]
    assert any("writes will fail" in one["sentence"] for one in plan.prechecks)
    refused = plan_of(commander, "set-redis-maxmemory-policy", policy="volatile-lru")
    assert refused.refusals == ["The policy is volatile-lru already."]


def test_a_shared_group_is_a_warning(aws: Nova, plan_of: Callable[..., Plan], commander: User) -> None:
    aws.reset(factor=2000)
    family = {"CacheParameterGroupFamily": "redis7", "Description": "Shared"}
    send(elasticache.CREATE_PARAMETER_GROUP, CacheParameterGroupName="shared", **family)
    other = {"ReplicationGroupId": "other", "ReplicationGroupDescription": "x", "CacheNodeType": "cache.t4g.micro"}
    create = calls.Operation("elasticache:CreateReplicationGroup")
    send(create, **other, NumCacheClusters=1, CacheParameterGroupName="shared")
    params = {"ReplicationGroupId": "nova-cache", "CacheParameterGroupName": "shared", "ApplyImmediately": True}
    send(elasticache.MODIFY_GROUP, **params)
    group = "nova-cache"
    assert until(lambda: elasticache.describe_group(environments.default(), group).status == "available", 20)
    sentences = [
        one["sentence"] for one in plan_of(commander, "set-redis-maxmemory-policy", policy="allkeys-lru").prechecks
    ]
    assert "shared is shared: other will change too." in sentences
