"""Scale the Redis node type: only to what AWS allows, and done when the nodes have it."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import elasticache
from novaops.runbook.models import Plan, Run, Undo
from tests.servers import Nova

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nova_redis")]


@pytest.mark.parametrize("kind", ["", "drop-after"])
def test_every_node_gets_the_type_by_one_call(
    aws: Nova, run_through: Callable[..., Run], commander: User, kind: str
) -> None:
    if kind:
        aws.faults([{"service": "elasticache", "operation": "ModifyReplicationGroup", "kind": kind, "times": 1}])
    run = run_through(commander, "scale-redis-node", node_type="cache.t4g.medium")
    assert run.status == "succeeded", run.outcome
    assert [one["params"] for one in aws.effects()] == [
        {"ReplicationGroupId": "nova-cache", "CacheNodeType": "cache.t4g.medium", "ApplyImmediately": True}
    ]
    found = elasticache.describe_group(environments.default(), "nova-cache")
    assert (found.node_type, found.status) == ("cache.t4g.medium", "available")
    assert Undo.objects.get(run=run).params == {"node_type": "cache.t4g.small"}


def test_the_plan_refuses_what_aws_does_not_allow(aws: Nova, plan_of: Callable[..., Plan], commander: User) -> None:
    refusals = plan_of(commander, "scale-redis-node", node_type="cache.x9.huge").refusals
    assert "AWS does not allow cache.x9.huge from cache.t4g.small: " in refusals[0]
    assert plan_of(commander, "scale-redis-node", node_type="cache.t4g.small").refusals == [
        "The nodes are cache.t4g.small already."
    ]


def test_less_memory_is_a_warning(aws: Nova, plan_of: Callable[..., Plan], commander: User) -> None:
    plan = plan_of(commander, "scale-redis-node", node_type="cache.t4g.micro")
    assert [one["sentence"] for one in plan.prechecks if one["state"] == "warning"] == [
        "cache.t4g.micro has less memory: what does not fit will be evicted or refused."
    ]
