"""The simulated API tasks really use Nova's database and Redis, and only while they run."""

import os
from collections.abc import Iterator
from typing import Any

import boto3
import psycopg
import pytest
import redis

from novaops.sandbox.api_servers import ROUND_S
from novaops.sandbox.aws.ecs_scheduler import PROVISIONING_S, STARTING_S
from tests.sandbox.conftest import eventually
from tests.servers import Nova

pytestmark = pytest.mark.long(4)

API = {"cluster": "nova", "service": "nova-api"}


@pytest.fixture
def watching(aws: Nova) -> Iterator["psycopg.Connection[Any]"]:
    """A connection from which the others are counted, in a world in which a task starts not before the next round.

    The same world draws the same names: a task of the new one might inherit the pool of one of the old one.
    """
    aws.reset(factor=(PROVISIONING_S + STARTING_S) / (2 * ROUND_S))
    with psycopg.connect(os.environ["NOVA_DATABASE_URL"], autocommit=True) as connection:
        yield connection


def pooled(connection: "psycopg.Connection[Any]") -> set[int]:
    rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'nova-api'")
    return {int(row[0]) for row in rows}


def test_each_task_holds_six_connections_which_a_restart_flushes(watching):
    before = eventually(lambda: pooled(watching), lambda pids: len(pids) == 12)
    boto3.client("ecs").update_service(**API, forceNewDeployment=True)
    eventually(lambda: pooled(watching), lambda pids: len(pids) == 12 and not pids & before, timeout_s=25)


def test_a_terminated_connection_is_opened_anew(watching):
    before = eventually(lambda: pooled(watching), lambda pids: len(pids) == 12)
    watching.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nova-api'")
    eventually(lambda: pooled(watching), lambda pids: len(pids) == 12 and not pids & before)


@pytest.mark.parametrize("environment", [None, [{"name": "DB_POOL_MAX", "value": "plenty"}]])
def test_whatever_is_deployed_the_tasks_go_on_connecting(watching, environment):
    ecs = boto3.client("ecs")
    container = ecs.describe_task_definition(taskDefinition="nova-api")["taskDefinition"]["containerDefinitions"][0]
    del container["environment"]
    deployed = {**container, **({"environment": environment} if environment else {})}
    made = ecs.register_task_definition(family="nova-api", containerDefinitions=[deployed])["taskDefinition"]
    before = eventually(lambda: pooled(watching), lambda pids: len(pids) == 12)
    ecs.update_service(**API, taskDefinition=made["taskDefinitionArn"])
    eventually(lambda: pooled(watching), lambda pids: len(pids) == 12 and not pids & before, timeout_s=25)


def test_without_a_task_nothing_is_connected(watching):
    with redis.Redis.from_url(os.environ["NOVA_REDIS_URL"]) as client:

        def at_redis() -> int:
            return sum(each["name"] == "nova-api" for each in client.client_list())

        eventually(at_redis, lambda count: count == 2)
        boto3.client("ecs").update_service(**API, desiredCount=0)
        eventually(lambda: (len(pooled(watching)), at_redis()), lambda found: found == (0, 0))


def test_redis_is_half_full_and_nearly_always_has_what_is_asked_for(aws):
    with redis.Redis.from_url(os.environ["NOVA_REDIS_URL"]) as client:
        # An earlier test may have driven some sessions out: an empty cache is filled as a whole.
        client.flushall()
        eventually(lambda: client.info("memory"), lambda told: told["used_memory"] > 0.4 * told["maxmemory"])
        client.config_resetstat()

        def stats() -> dict[str, int]:
            return dict(client.info("stats"))

        found = eventually(stats, lambda now: now["keyspace_hits"] > 200)
        share = found["keyspace_hits"] / (found["keyspace_hits"] + found["keyspace_misses"])
        memory = client.info("memory")
    assert 0.9 < share < 0.97
    assert 0.4 < memory["used_memory"] / memory["maxmemory"] < 0.6
