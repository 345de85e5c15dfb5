"""Collection: one round over the simulated Nova, what it keeps, and what a dead source may not do to it."""

import os
import socket
from datetime import timedelta
from io import StringIO
from threading import Thread
from time import monotonic

import boto3
import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from dashboard import alarms, collect, models, overview, samples, tasks, watchdog
from dashboard.models import Alert, Latest, Reading, Round, Sample, Series
from novaops import environment as declared
from novaops import live
from novaops.cloud import aws as aws_calls
from novaops.environment import Environment
from novaops.sandbox.child import until

pytestmark = pytest.mark.django_db(transaction=True)


def steer(path: str, body: object) -> None:
    """Tell the sandbox what shall happen."""
    requests.post(f"{os.environ['NOVAOPS_SANDBOX_URL']}/{path}", json=body, timeout=10).raise_for_status()


@pytest.fixture
def hanging_port():
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def environment() -> Environment:
    """The sandbox, collected so seldom that its sources may take their time on a busy machine."""
    # What other tests let fail was counted, too.
    aws_calls.take_tally(declared.default())
    return declared.default().model_copy(update={"collect_every_s": 12})


def round_of(environment: Environment) -> Round:
    done = collect.collect(environment, early=True)
    assert done is not None
    return done


def test_a_round_reads_every_service(living_aws, environment):
    deadline = monotonic() + 30
    # The event processor stores its first cursor a moment after its start.
    while (done := round_of(environment)).failed:
        assert monotonic() < deadline, done.failed
    readings = {reading.service: reading for reading in Reading.objects.all()}
    assert set(readings) == {"api", "database", "cache", "events", "novaops"}
    assert readings["novaops"].values["aws_failed"]["value"] == 0
    assert readings["database"].facts["told_at"]["RDS events"] == done.started_at.isoformat()
    assert readings["api"].values["running"]["value"] == 2
    assert readings["api"].values["healthy_targets"]["source"] == "ALB"
    assert readings["api"].facts["deployments"][0]["rollout_state"] == "COMPLETED"
    assert readings["database"].facts["multi_az"] is True
    assert readings["database"].values["connection_limit"]["value"] > 50
    assert [node["role"] for node in readings["cache"].facts["nodes"]] == ["primary", "replica"]
    assert {reading.at for reading in readings.values()} == {done.started_at}


def test_the_first_round_fills_three_hours_and_the_second_also_the_nodes_it_then_knows(aws, environment):
    aws.reset(past_s=3 * 3600)
    round_of(environment)
    cpu = Series.objects.get(service="api", name="cpu")
    oldest = Sample.objects.filter(series=cpu).order_by("at").first()
    assert oldest is not None
    assert timezone.now() - oldest.at > timedelta(hours=2, minutes=50)
    assert sum(value is not None for value in Reading.objects.get(service="api").spark) > 50
    round_of(environment)
    nodes = Series.objects.filter(service="cache", name="memory").values_list("resource", flat=True)
    assert sorted(nodes) == ["nova-cache-001", "nova-cache-002"]
    assert Reading.objects.get(service="cache").values["memory/nova-cache-001"]["value"] > 0


def test_later_rounds_read_only_what_is_new_and_the_last_periods_again(aws, environment):
    for _ in range(2):
        round_of(environment)
    assert round_of(environment).samples < 200


def test_values_that_change_late_are_corrected(aws, environment):
    round_of(environment)
    cpu = Latest.objects.get(series__service="api", series__name="cpu")
    Sample.objects.filter(series=cpu.series, at=cpu.at).update(value=-1)
    Series.objects.update(asked_until=cpu.at)
    round_of(environment)
    assert Sample.objects.get(series=cpu.series, at=cpu.at).value > 0


def test_counters_that_are_silent_beside_traffic_are_zero(aws, environment):
    round_of(environment)
    errors = Latest.objects.get(series__service="api", series__name="elb_5xx")
    requests = Latest.objects.get(series__service="api", series__name="requests")
    assert (errors.at, errors.value) == (requests.at, 0)
    assert Latest.objects.get(series__name="error_rate").value == 0


def test_a_round_tells_open_pages(aws, environment):
    before = live.revision(f"overview:{environment.name}")
    round_of(environment)
    assert live.revision(f"overview:{environment.name}") != before


def test_a_dead_source_takes_only_its_own_values(aws, environment, monkeypatch):
    round_of(environment)
    before = Reading.objects.get(service="cache").values["clients"]
    monkeypatch.setenv(environment.cache.url_env, "redis://127.0.0.1:9/0")
    done = round_of(environment)
    reading = Reading.objects.get(service="cache")
    assert reading.failed == ["Redis: Nova's Redis could not be reached"]
    assert set(reading.failed) <= set(done.failed)
    assert reading.values["clients"] == before
    assert reading.values["replicas"]["at"] > before["at"]


def test_a_source_that_hangs_does_not_stall_the_round(aws, environment, monkeypatch, hanging_port):
    round_of(environment)
    monkeypatch.setenv(environment.database.dsn_env, f"postgresql://nova@127.0.0.1:{hanging_port}/nova")
    started = monotonic()
    done = round_of(environment)
    assert monotonic() - started < collect.limit_s(environment) + 2
    assert [sentence.partition(":")[0] for sentence in done.failed] == [
        "Cursor",
        "Gap search",
        "PostgreSQL",
    ]


def test_without_aws_the_rest_is_still_read(aws, environment):
    round_of(environment)
    faults = [{"service": "*", "operation": "*", "kind": "outage", "times": 200}]
    steer("faults", faults)
    done = round_of(environment)
    assert any(sentence.startswith("CloudWatch: cloudwatch:GetMetricData") for sentence in done.failed)
    assert Reading.objects.get(service="cache").values["answers"]["at"] >= done.started_at.isoformat()


# Of a calm round: one for all metrics, one for each kind of thing, one for each log.
CALLS = [
    "cloudwatch:GetMetricData",
    "ecs:DescribeServices",
    "elasticache:DescribeReplicationGroups",
    "elbv2:DescribeTargetHealth",
    "logs:FilterLogEvents",
    "logs:FilterLogEvents",
    "rds:DescribeDBInstances",
    "rds:DescribeEvents",
]


def test_a_round_makes_as_few_calls_as_there_are_kinds_of_things(aws, environment, monkeypatch):
    # Alarms are looked up by one more call, in the first round of a minute.
    monkeypatch.setattr(alarms, "LOOKED_UP_EVERY_S", 10**9)
    for _ in range(2):
        round_of(environment)
    calls, read = [], aws_calls.read

    def counted(place: Environment, operation: str, **params: object) -> dict[str, object]:
        calls.append(operation)
        return read(place, operation, **params)

    monkeypatch.setattr(aws_calls, "read", counted)
    round_of(environment)
    assert sorted(calls) == CALLS
    assert Latest.objects.count() >= 60
    assert Reading.objects.get(service="novaops").values["aws_calls"]["value"] == len(CALLS)


def test_a_round_over_an_aws_that_takes_its_time_is_done_in_two_seconds(aws, environment):
    for _ in range(2):
        round_of(environment)
    steer("faults", [{"kind": "hang", "seconds": 0.05, "times": 0}])
    started = monotonic()
    done = round_of(environment)
    took_s = monotonic() - started
    assert done.failed == []
    assert took_s < 2, took_s


def test_what_aws_throttles_is_counted_also_where_asking_again_helped(aws, environment):
    round_of(environment)
    steer("faults", [{"service": "ecs", "operation": "DescribeServices", "kind": "throttle", "times": 1}])
    assert not [sentence for sentence in round_of(environment).failed if sentence.startswith("ECS")]
    values = Reading.objects.get(service="novaops").values
    assert (values["aws_throttled"]["value"], values["aws_failed"]["value"]) == (1, 0)
    assert values["throttled_share"]["value"] == pytest.approx(100 / values["aws_calls"]["value"])


def test_why_tasks_stopped_is_told_where_some_are_missing(aws, environment):
    ecs = boto3.client("ecs")
    task = ecs.list_tasks(cluster="nova", serviceName="nova-api")["taskArns"][0]
    ecs.stop_task(cluster="nova", task=task, reason="somebody wanted to know")
    deadline = monotonic() + 20
    while not (stopped := _stopped(environment)):
        assert monotonic() < deadline
    assert (stopped[0]["code"], stopped[0]["reason"]) == ("UserInitiated", "somebody wanted to know")


def _stopped(environment: Environment) -> list[dict[str, object]]:
    round_of(environment)
    return list(Reading.objects.get(service="api").facts["stopped"])


def test_an_environment_without_rounds_raises_the_alarm_until_they_come_again(aws, environment):
    round_of(environment)
    now = timezone.now()
    Round.objects.update(started_at=now - timedelta(seconds=30))
    Sample.objects.filter(series__name="missed_rounds").delete()
    watchdog.watch(environment, now - timedelta(seconds=5))
    assert not Alert.objects.exists()
    watchdog.watch(environment, now)
    alert = Alert.objects.get()
    assert (alert.rule, alert.sentence) == ("collector-dead", "NovaOps has missed 2 rounds of collection")
    assert overview.build(environment).notices == [alert]
    assert until(lambda: round_of(environment) and Alert.objects.get().state == "cleared", 10)


def test_an_environment_that_is_collected_or_new_is_left_alone(environment):
    tasks.watch_rounds()
    now = timezone.now()
    Round.objects.create(environment=environment.name, started_at=now, finished_at=now, sources=0, samples=0)
    tasks.watch_rounds()
    assert not Sample.objects.exists()


def test_two_collectors_at_once_make_one_round(aws, environment):
    done: list[Round | None] = []

    def collector() -> None:
        done.append(collect.collect(environment))
        connection.close()

    threads = [Thread(target=collector) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in done) == Round.objects.count() == 1


def test_a_collector_that_lost_its_lease_writes_nothing(aws, environment, monkeypatch):
    ask = collect._ask

    def slowly(*args):
        answers = ask(*args)
        models.Lease.objects.update(token=99)
        return answers

    monkeypatch.setattr(collect, "_ask", slowly)
    assert collect.collect(environment) is None
    assert not Sample.objects.exists()
    assert not Reading.objects.exists()
    assert models.Lease.objects.get().token == 99


def test_the_task_collects_what_is_due_only(aws, environment):
    tasks.collect_environment(environment.name)
    models.Lease.objects.update(due_at=timezone.now() + timedelta(minutes=5))
    tasks.collect_environment(environment.name)
    tasks.collect_environment("nowhere")
    assert Round.objects.count() == 1


def test_the_command_says_what_it_did(aws, environment):
    out = StringIO()
    call_command("collect", stdout=out)
    assert out.getvalue().startswith(f"{environment.name}: 17 sources, ")
    call_command("collect", environment=environment.name, stdout=out)
    assert out.getvalue().count("17 sources") == 2


def test_the_command_names_the_environments_there_are():
    with pytest.raises(CommandError, match="'nowhere'"):
        call_command("collect", "nowhere")


def test_a_value_that_is_no_number_is_not_kept(environment):
    seen = collect.Seen(service=None, before=None)
    seen.put("cpu", timezone.now(), float("nan"))
    seen.put("cpu", timezone.now(), float("inf"))
    assert seen.columns == {}
    assert samples.write({}, timezone.now()) == 0
