"""Fail over Redis, or promote a replica where AWS does not fail over by itself."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User

from dashboard import redis_groups
from novaops import environment as environments
from novaops.cloud import elasticache
from novaops.cloud.errors import Refused
from novaops.runbook.models import Plan, Run
from novaops.sandbox.child import until
from tests.servers import Nova

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nova_redis")]


def group() -> elasticache.Group:
    return elasticache.describe_group(environments.default(), "nova-cache")


def call(operation: Any, **params: Any) -> None:
    params = {"ReplicationGroupId": "nova-cache", **params}
    operation(environments.default(), params, fence=lambda: True, run_id=0)


@pytest.fixture
def manual(aws: Nova) -> Nova:
    """The group with automatic failover off."""
    call(elasticache.MODIFY_GROUP, MultiAZEnabled=False, AutomaticFailoverEnabled=False, ApplyImmediately=True)
    assert until(lambda: (group().automatic_failover, group().status) == ("disabled", "available"), 20)
    return aws


def test_a_replica_takes_over_and_redundancy_comes_back(
    aws: Nova, run_through: Callable[..., Run], commander: User, nova_redis: "redis.Redis"
) -> None:
    run = run_through(commander, "fail-over-redis")
    assert run.status == "succeeded", run.outcome
    assert [(one["operation"], one["params"]) for one in aws.effects()] == [
        ("TestFailover", {"ReplicationGroupId": "nova-cache", "NodeGroupId": "0001"})
    ]
    said = {step.key: step.sentence for step in run.steps.all()}
    # Whichever is seen first tells it: the roles, or the event.
    assert re.search("from (primary node )?nova-cache-001 to (replica node )?nova-cache-002", said["promoted"])
    assert said["redundant"] == "ElastiCache has recovered the former primary as a replica."
    assert "Redis answers as a primary" in run.outcome
    assert redis_groups.failovers_spent(environments.default()) == 1


def test_the_plan_shows_the_runbooks_command_and_the_quota(
    aws: Nova, plan_of: Callable[..., Plan], commander: User
) -> None:
    plan = plan_of(commander, "fail-over-redis")
    assert [one["command_line"] for one in plan.calls] == [
        "aws elasticache test-failover --replication-group-id nova-cache --node-group-id 0001"
    ]
    assert "0 of 15 failovers in 24 hours are spent." in [one["sentence"] for one in plan.prechecks]
    assert plan.changes == [{"what": "Primary", "before": "nova-cache-001", "after": "nova-cache-002"}]


def test_a_lost_answer_is_seen_and_nothing_is_sent_again(
    aws: Nova, run_through: Callable[..., Run], commander: User
) -> None:
    aws.faults([{"service": "elasticache", "operation": "TestFailover", "kind": "drop-after", "times": 1}])
    run = run_through(commander, "fail-over-redis")
    assert run.status == "succeeded", run.outcome
    assert len(aws.effects()) == 1
    assert run.steps.get(key="fail-over").calls.get().outcome == "observed"


def test_it_is_refused_where_the_quota_is_spent(aws: Nova, plan_of: Callable[..., Plan], commander: User) -> None:
    aws.reset(factor=2000)
    for _ in range(redis_groups.FAILOVERS_A_DAY):
        assert until(_fails_over, 20)
    assert "All 15 failovers that AWS allows in 24 hours are spent" in " ".join(
        plan_of(commander, "fail-over-redis").refusals
    )


def _fails_over() -> bool:
    try:
        call(elasticache.TEST_FAILOVER, NodeGroupId="0001")
    except Refused:
        return False
    return True


def test_where_automatic_failover_is_off_it_offers_the_promotion(
    manual: Nova, plan_of: Callable[..., Plan], commander: User
) -> None:
    assert "use Promote a Redis replica instead" in " ".join(plan_of(commander, "fail-over-redis").refusals)


def test_a_chosen_replica_is_promoted_and_the_way_back_is_kept(
    manual: Nova, run_through: Callable[..., Run], commander: User
) -> None:
    manual.faults([{"service": "elasticache", "operation": "ModifyReplicationGroup", "kind": "drop-after", "times": 1}])
    run = run_through(commander, "promote-redis-replica", node="nova-cache-002")
    assert run.status == "succeeded", run.outcome
    sent = [one for one in manual.effects() if "PrimaryClusterId" in one["params"]]
    assert len(sent) == 1
    primary = group().primary
    assert (primary and primary.id, group().status) == ("nova-cache-002", "available")


def test_a_promotion_is_refused_while_aws_fails_over_by_itself(
    aws: Nova, plan_of: Callable[..., Plan], commander: User
) -> None:
    refusals = " ".join(plan_of(commander, "promote-redis-replica", node="nova-cache-001").refusals)
    assert "use Fail over Redis" in refusals
    assert "nova-cache-001 is no replica of nova-cache: nova-cache-002." in refusals
