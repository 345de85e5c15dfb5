"""The scenarios of the data stores: really full, evicting or missing, and ended by the right action only."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import psycopg
import pytest
import redis

from novaops.sandbox import steering
from novaops.sandbox.api_servers import ROUND_S
from tests.sandbox.conftest import Simulated, eventually
from tests.sandbox.test_scenarios import API, BALANCER, PROCESSOR, ended, newest, state
from tests.servers import PAST_S, Nova

pytestmark = pytest.mark.long(3)

GAPS = (
    "SELECT last + 1, next - 1 FROM "
    "(SELECT last, lead(first) OVER (ORDER BY first) AS next FROM event_ranges) AS pairs WHERE next > last + 1"
)


@pytest.fixture
def quick(simulated: Simulated) -> Iterator[Simulated]:
    """Five simulated minutes in a second and a half."""
    before = simulated.control("state")["factor"]
    simulated.control("reset", {"seed": 1, "factor": 200, "past_s": PAST_S})
    yield simulated
    simulated.control("reset", {"seed": 1, "factor": before, "past_s": PAST_S})


@pytest.fixture
def hurried(aws: Nova) -> Iterator[Nova]:
    """A sandbox with a real database and Redis, five times as fast as usual."""
    aws.reset(factor=100, processes=True)
    yield aws
    aws.reset()


@pytest.fixture
def superuser(hurried: Nova) -> Iterator["psycopg.Connection[Any]"]:
    """Somebody for whom a slot is reserved."""
    with psycopg.connect(hurried.postgresql.dsn("nova"), autocommit=True) as connection:
        yield connection


def live_state() -> str:
    return str(steering.state(os.environ["NOVAOPS_SANDBOX_URL"])["state"])


def deploy(ecs: Any, service: dict[str, str], name: str, value: str) -> None:
    """Deploy the service with a variable changed."""
    told = ecs.describe_task_definition(taskDefinition=service["service"])["taskDefinition"]
    container = told["containerDefinitions"][0]
    others = [each for each in container["environment"] if each["name"] != name]
    container["environment"] = [*others, {"name": name, "value": value}]
    made = ecs.register_task_definition(family=service["service"], containerDefinitions=[container])
    ecs.update_service(**service, taskDefinition=made["taskDefinition"]["taskDefinitionArn"])


def is_full() -> bool:
    try:
        psycopg.connect(os.environ["NOVA_DATABASE_URL"]).close()
    except psycopg.OperationalError as failure:
        return "connection slots" in str(failure) or "too many" in str(failure)
    return False


@pytest.mark.long(7)
def test_the_database_really_fills_up_until_the_api_is_restarted(hurried, superuser):
    hurried._control("reset", {"factor": 200})
    hurried.scenario("connection-exhaustion")
    began = eventually(lambda: is_full() and time.monotonic(), bool)
    # Then the API tasks have noticed it, too.
    eventually(lambda: time.monotonic() - began, lambda past_s: past_s > 2 * ROUND_S)
    superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle' AND application_name = 'nova-api'"
    )
    eventually(live_state, lambda now: now == "relieved")
    eventually(live_state, lambda now: now == "active")
    boto3.client("ecs").update_service(**API, forceNewDeployment=True)
    eventually(live_state, lambda now: now == "ended")
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nova-api'"
    eventually(lambda: superuser.execute(count).fetchone(), lambda row: row == (12,))


def test_a_full_database_fails_requests_until_a_smaller_pool_is_deployed(quick):
    quick.control("scenario", {"name": "connection-exhaustion"})
    failed = ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", BALANCER, "Sum")
    eventually(lambda: newest(quick, *failed), lambda value: value > 5)
    logged = {"logGroupName": "/nova/api", "filterPattern": '"too many connections"'}
    eventually(lambda: quick.client("logs").filter_log_events(**logged)["events"], bool)
    ecs = quick.client("ecs")
    ecs.update_service(**PROCESSOR, forceNewDeployment=True)
    assert state(quick)["state"] == "active"
    deploy(ecs, API, "DB_POOL_MAX", "10")
    assert ended(quick)["by"] == "A smaller DB_POOL_MAX was deployed."


def test_redis_really_evicts_until_its_policy_lets_it_evict_any_key(hurried):
    with redis.Redis.from_url(os.environ["NOVA_REDIS_URL"], decode_responses=True) as client:

        def told(name: str) -> Callable[[], Any]:
            return lambda: client.info()[name]

        hurried.scenario("redis-evictions")
        before = eventually(told("evicted_keys"), lambda count: count > 100)
        eventually(told("evicted_keys"), lambda count: count > before + 100)
        assert client.ttl("report:0") == -1
        elasticache = boto3.client("elasticache")
        elasticache.create_cache_parameter_group(
            CacheParameterGroupName="nova", CacheParameterGroupFamily="redis7", Description="Nova"
        )
        group = {"ReplicationGroupId": "nova-cache", "CacheParameterGroupName": "nova", "ApplyImmediately": True}
        elasticache.modify_replication_group(**group)
        assert live_state() == "active"
        policy = {"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}
        elasticache.modify_cache_parameter_group(CacheParameterGroupName="nova", ParameterNameValues=[policy])
        eventually(live_state, lambda now: now == "ended")
        eventually(told("maxmemory_policy"), lambda name: name == "allkeys-lru")
        eventually(told("used_memory"), lambda used: used < 0.6 * 8 * 2**20)


def test_more_memory_ends_the_evictions_and_a_failover_does_not(quick):
    quick.control("scenario", {"name": "redis-evictions"})
    node = {"CacheClusterId": "nova-cache-001"}
    eventually(lambda: newest(quick, "AWS/ElastiCache", "Evictions", node, "Sum"), lambda value: value > 10)
    cache = quick.client("elasticache")
    cache.test_failover(ReplicationGroupId="nova-cache", NodeGroupId="0001")
    assert state(quick)["state"] == "active"
    group = {"ReplicationGroupId": "nova-cache", "CacheNodeType": "cache.t4g.medium", "ApplyImmediately": True}
    cache.modify_replication_group(**group)
    assert ended(quick)["by"] == "The node type has room for all keys."
    eventually(lambda: newest(quick, "AWS/ElastiCache", "Evictions", node, "Sum"), lambda value: value == 0)


def test_skipped_ledgers_are_missing_until_a_replay_has_read_them(hurried, superuser):
    hurried.scenario("missed-ledgers")
    first, last = eventually(lambda: superuser.execute(GAPS).fetchone(), bool)
    rows = "SELECT count(*) FROM contract_events WHERE ledger BETWEEN %s AND %s"
    assert superuser.execute(rows, [first, last]).fetchone() == (0,)
    ecs = boto3.client("ecs")
    before = tasks(ecs)
    ecs.update_service(**PROCESSOR, forceNewDeployment=True)
    eventually(lambda: tasks(ecs), lambda now: now and now != before)
    assert live_state() == "active"
    deploy(ecs, PROCESSOR, "START_BLOCK", str(first))
    eventually(live_state, lambda now: now == "ended", timeout_s=25)
    assert superuser.execute(GAPS).fetchone() is None
    assert superuser.execute(rows, [first, last]).fetchone() > (0,)


def tasks(ecs: Any) -> list[str]:
    return list(ecs.list_tasks(cluster="nova", serviceName="nova-event-processor")["taskArns"])


def test_calm_gives_skipped_ledgers_back(hurried, superuser):
    hurried.scenario("missed-ledgers")
    eventually(lambda: superuser.execute(GAPS).fetchone(), bool)
    hurried.scenario("calm")
    eventually(lambda: superuser.execute(GAPS).fetchone(), lambda row: row is None)


def test_a_replay_from_behind_the_gap_does_not_end_missed_ledgers(quick):
    quick.control("scenario", {"name": "missed-ledgers"})
    ecs = quick.client("ecs")
    deploy(ecs, PROCESSOR, "START_BLOCK", "999999999")
    eventually(lambda: running(ecs), lambda found: found.endswith(":2"))
    assert state(quick)["state"] == "active"
    deploy(ecs, PROCESSOR, "START_BLOCK", "1")
    assert ended(quick)["by"] == "A replay has read the skipped ledgers."


def running(ecs: Any) -> str:
    """The task definition of the processor's running task, empty while none runs."""
    arns = ecs.list_tasks(cluster="nova", serviceName="nova-event-processor")["taskArns"]
    found = ecs.describe_tasks(cluster="nova", tasks=arns)["tasks"] if arns else []
    return next((str(task["taskDefinitionArn"]) for task in found if task["lastStatus"] == "RUNNING"), "")


def test_the_database_fails_over_by_itself(quick):
    rds = quick.client("rds")

    def database() -> dict[str, Any]:
        found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier="nova-db")["DBInstances"][0]
        return found

    zone, standby = database()["AvailabilityZone"], database()["SecondaryAvailabilityZone"]
    quick.control("scenario", {"name": "failover"})
    assert database()["DBInstanceStatus"] == "rebooting"
    assert ended(quick)["by"] == "The standby has taken over."
    assert (database()["AvailabilityZone"], database()["SecondaryAvailabilityZone"]) == (standby, zone)
    events = rds.describe_events(SourceIdentifier="nova-db", SourceType="db-instance")["Events"]
    assert "Multi-AZ instance failover completed." in [event["Message"] for event in events]
