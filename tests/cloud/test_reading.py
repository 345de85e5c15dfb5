"""Reading AWS: each answer becomes what the rest of NovaOps works with."""

import os
from datetime import UTC, datetime, timedelta

import pytest
import requests

from novaops import environment as declared
from novaops.cloud import cloudwatch, ecs, elasticache, elbv2, logs, rds
from novaops.cloud.cloudwatch import Query
from novaops.cloud.errors import NotSent, Refused
from novaops.environment import Environment

OF_API = (("ClusterName", "nova"), ("ServiceName", "nova-api"))
CPU = Query(namespace="AWS/ECS", metric="CPUUtilization", statistic="Average", dimensions=OF_API)
NOTHING = Query(namespace="AWS/ECS", metric="CPUUtilization", statistic="Average", dimensions=OF_API[:1])


@pytest.fixture
def environment(aws) -> Environment:
    aws.reset(past_s=3600)
    return declared.default()


def hour() -> tuple[datetime, datetime]:
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    return end - timedelta(hours=1), end


def test_series_come_in_the_order_of_their_queries(environment):
    answers = cloudwatch.get_series(environment, [NOTHING, CPU], *hour(), 60)
    assert answers[0] == cloudwatch.Answer()
    assert len(answers[1].points) > 50
    assert all(at.tzinfo and at.second == 0 for at in answers[1].points)
    assert list(answers[1].points) == sorted(answers[1].points)


def test_more_queries_than_a_call_takes_are_sent_in_batches(environment):
    answers = cloudwatch.get_series(environment, [*[NOTHING] * 500, CPU], *hour(), 60)
    assert len(answers) == 501
    assert len(answers[500].points) > 50


def test_pages_are_put_together(environment, monkeypatch):
    start, end = hour()
    read, pages = cloudwatch.aws.read, []

    def small_pages(environment: Environment, operation: str, **params: object) -> dict[str, object]:
        pages.append(operation)
        return read(environment, operation, **params, MaxDatapoints=10)

    monkeypatch.setattr(cloudwatch.aws, "read", small_pages)
    answers = cloudwatch.get_series(environment, [CPU, CPU], start, end, 60)
    assert len(pages) > 5
    assert answers[0] == answers[1]
    assert answers[0].failed == ""
    assert len(answers[0].points) > 50


@pytest.mark.parametrize("status", ["PartialData", "Forbidden", "InternalError"])
def test_a_series_that_could_not_be_read_says_so(environment, monkeypatch, status):
    result = {"Id": "m0", "Timestamps": [], "Values": [], "StatusCode": status}
    monkeypatch.setattr(cloudwatch.aws, "read", lambda *_, **__: {"MetricDataResults": [result]})
    assert "CPUUtilization" in cloudwatch.get_series(environment, [CPU], *hour(), 60)[0].failed


def test_throttling_is_told_apart(environment):
    fault = {"service": "cloudwatch", "operation": "GetMetricData", "kind": "throttle", "times": 5}
    requests.post(f"{os.environ['NOVAOPS_SANDBOX_URL']}/faults", json=[fault], timeout=10)
    with pytest.raises(NotSent, match="throttling"):
        cloudwatch.get_series(environment, [CPU], *hour(), 60)


def test_both_ecs_services_come_in_one_call(environment):
    found = ecs.describe_services(environment, "nova", ("nova-api", "nova-event-processor", "nova-missing"))
    assert {name: service.running for name, service in found.items()} == {"nova-api": 2, "nova-event-processor": 1}


def test_the_database_instance_is_described(environment):
    found = rds.describe(environment)
    assert (found.id, found.status, found.multi_az, found.writer) == ("nova-db", "available", True, "nova-db")
    assert {found.zone, found.standby_zone} == {"eu-west-1a", "eu-west-1b"}
    assert found.engine.startswith("postgres ")
    assert found.latest_restorable_at is not None


def test_a_database_that_is_not_there_is_refused(environment):
    with pytest.raises(Refused, match="DBInstanceNotFound"):
        rds.describe_instance(environment, "nova-nothing")


def test_a_clusters_writer_and_readers_are_told_apart(environment, monkeypatch):
    members = [{"DBInstanceIdentifier": f"nova-{n}", "IsClusterWriter": n == 2} for n in (1, 2, 3)]
    cluster = {"DBClusterIdentifier": "nova", "Status": "available", "Engine": "postgres", "DBClusterMembers": members}
    monkeypatch.setattr(rds.aws, "read", lambda *_, **__: {"DBClusters": [cluster]})
    found = rds.describe_cluster(environment, "nova")
    assert (found.writer, found.readers) == ("nova-2", ("nova-1", "nova-3"))


def test_the_databases_events_are_read_the_oldest_first(environment):
    found = rds.events(environment, "nova-db", "db-instance", datetime.now(UTC) - timedelta(days=13))
    assert [event.at for event in found] == sorted(event.at for event in found)


def test_the_replication_group_knows_its_primary(environment):
    found = elasticache.describe_group(environment, "nova-cache")
    assert found.primary is not None
    assert found.primary.id == "nova-cache-001"
    assert [node.id for node in found.replicas] == ["nova-cache-002"]
    assert (found.status, found.automatic_failover) == ("available", "enabled")


def test_targets_follow_the_tasks(environment):
    found = elbv2.target_health(environment, environment.api.target_group_arn)
    assert [target.healthy for target in found] == [True, True]


@pytest.mark.parametrize(
    ("state", "healthy", "ill"),
    [("healthy", True, False), ("unhealthy", False, True), ("initial", False, False), ("draining", False, False)],
)
def test_a_target_that_starts_or_drains_is_not_ill(state, healthy, ill):
    target = elbv2.Target(id="10.0.0.1", state=state, reason="", description="")
    assert (target.healthy, target.ill) == (healthy, ill)


def test_log_lines_are_read_within_a_time_and_a_limit(environment):
    now = datetime.now(UTC)
    arn_free = logs.filter_events(environment, "/nova/api", start=now - timedelta(hours=1), end=now, limit=5)
    assert len(arn_free) <= 5
    assert all(now - timedelta(hours=1) <= line.at <= now for line in arn_free)


def test_a_log_group_that_is_not_there_is_refused(environment):
    now = datetime.now(UTC)
    with pytest.raises(Refused, match="ResourceNotFoundException"):
        logs.filter_events(environment, "/nova/nothing", start=now - timedelta(hours=1), end=now)
