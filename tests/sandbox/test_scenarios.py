"""Each scenario makes Nova ill as its alert describes, ends when the right action is taken, and not otherwise."""

import json
import urllib.error
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from novaops.sandbox import addresses
from tests.sandbox.conftest import Simulated, eventually

pytestmark = pytest.mark.long(3)

API = {"cluster": "nova", "service": "nova-api"}
PROCESSOR = {"cluster": "nova", "service": "nova-event-processor"}
OF_API = {"ClusterName": "nova", "ServiceName": "nova-api"}
OF_PROCESSOR = {"ServiceName": "nova-event-processor"}
BALANCER = {"LoadBalancer": "app/nova-alb/50dc6c495c0c9188"}


def newest(simulated: Simulated, namespace: str, name: str, dimensions: dict[str, str], stat: str = "Average") -> float:
    """The newest value, 0 where there is none in the last half minute."""
    now = datetime.now(UTC)
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    asked = {"Id": "one", "MetricStat": {"Metric": metric, "Period": 1, "Stat": stat}}
    answer = simulated.client("cloudwatch").get_metric_data(
        MetricDataQueries=[asked], StartTime=now - timedelta(seconds=30), EndTime=now + timedelta(seconds=5)
    )
    return float(next(iter(answer["MetricDataResults"][0]["Values"]), 0))


def cpu(simulated: Simulated) -> float:
    return newest(simulated, "AWS/ECS", "CPUUtilization", OF_API)


def state(simulated: Simulated) -> dict[str, Any]:
    answer: dict[str, Any] = simulated.control("state")
    return answer


def ended(simulated: Simulated) -> dict[str, Any]:
    found: dict[str, Any] = eventually(lambda: state(simulated), lambda now: now["state"] == "ended")
    return found


@pytest.fixture
def high_cpu(simulated: Simulated) -> Simulated:
    simulated.control("scenario", {"name": "high-cpu"})
    eventually(lambda: cpu(simulated), lambda value: value > 90)
    return simulated


@pytest.fixture
def event_lag(simulated: Simulated) -> Simulated:
    simulated.control("scenario", {"name": "event-lag"})
    return simulated


def behind(simulated: Simulated) -> float:
    return newest(simulated, "Nova/EventProcessor", "blocks_behind", OF_PROCESSOR, "Maximum")


def test_the_world_begins_calm(simulated: Simulated) -> None:
    now = state(simulated)
    assert (now["scenario"], now["seed"]) == ("calm", 1)
    assert {"calm", "high-cpu", "event-lag"} <= {one["name"] for one in now["scenarios"]}


def test_an_unknown_scenario_is_refused_with_the_known_ones(simulated: Simulated) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        simulated.control("scenario", {"name": "dragons"})
    assert "high-cpu" in json.load(refused.value)["error"]


@pytest.mark.long(11)
def test_high_cpu_slows_the_api_and_fails_requests(high_cpu: Simulated) -> None:
    assert newest(high_cpu, "AWS/ApplicationELB", "TargetResponseTime", BALANCER, "p95") > 1
    failed = ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", BALANCER, "Sum")
    eventually(lambda: newest(high_cpu, *failed), lambda value: value > 0)
    alarm = high_cpu.client("cloudwatch")
    eventually(
        lambda: alarm.describe_alarms(AlarmNames=["nova-api-high-cpu"])["MetricAlarms"][0]["StateValue"],
        lambda found: found == "ALARM",
        timeout_s=25,
    )


def test_a_restart_ends_high_cpu(high_cpu: Simulated) -> None:
    high_cpu.client("ecs").update_service(**API, forceNewDeployment=True)
    assert ended(high_cpu)["by"] == "The tasks with a runaway worker were replaced."
    eventually(lambda: cpu(high_cpu), lambda value: value < 40)


def test_scaling_out_relieves_high_cpu_until_it_is_scaled_in(high_cpu: Simulated) -> None:
    ecs = high_cpu.client("ecs")
    ecs.update_service(**API, desiredCount=4)
    eventually(lambda: state(high_cpu)["state"], lambda found: found == "relieved")
    eventually(lambda: cpu(high_cpu), lambda value: value < 80)
    ecs.update_service(**API, desiredCount=2)
    eventually(lambda: state(high_cpu)["state"], lambda found: found == "active")


def test_restarting_another_service_does_not_end_high_cpu(high_cpu: Simulated) -> None:
    ecs = high_cpu.client("ecs")
    ecs.update_service(**PROCESSOR, forceNewDeployment=True)

    def rollout() -> Any:
        service = ecs.describe_services(cluster="nova", services=["nova-event-processor"])["services"][0]
        return service["deployments"][0]["rolloutState"]

    eventually(rollout, lambda found: found == "COMPLETED")
    assert state(high_cpu)["state"] == "active"
    assert cpu(high_cpu) > 90


def test_event_lag_grows_and_a_restart_drains_it(event_lag: Simulated) -> None:
    first = eventually(lambda: behind(event_lag), lambda value: value > 0)
    eventually(lambda: behind(event_lag), lambda value: value > first)
    assert state(event_lag)["state"] == "active"
    event_lag.client("ecs").update_service(**PROCESSOR, forceNewDeployment=True)
    assert ended(event_lag)["by"] == "The processor's task was replaced."
    eventually(lambda: behind(event_lag), lambda value: value == 0, timeout_s=40)


def test_restarting_the_api_does_not_end_event_lag(event_lag: Simulated) -> None:
    ecs = event_lag.client("ecs")
    ecs.update_service(**API, forceNewDeployment=True)

    def rollout() -> Any:
        return ecs.describe_services(cluster="nova", services=["nova-api"])["services"][0]["deployments"][0][
            "rolloutState"
        ]

    eventually(rollout, lambda found: found == "COMPLETED")
    assert state(event_lag)["state"] == "active"


def test_a_bad_deploy_fails_requests_until_it_is_rolled_back(simulated: Simulated) -> None:
    ecs = simulated.client("ecs")
    good = ecs.describe_services(cluster="nova", services=["nova-api"])["services"][0]["taskDefinition"]
    simulated.control("scenario", {"name": "bad-deploy"})
    failed = ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", BALANCER, "Sum")
    eventually(lambda: newest(simulated, *failed), lambda value: value >= 5)
    ecs.update_service(**API, forceNewDeployment=True)
    assert state(simulated)["state"] == "active"
    ecs.update_service(**API, taskDefinition=good)
    assert ended(simulated)["by"] == "Another release took the place of the bad one."


def test_rpc_down_ends_when_the_processor_reads_the_backup(simulated: Simulated) -> None:
    simulated.control("scenario", {"name": "rpc-down"})
    ecs = simulated.client("ecs")
    ecs.update_service(**PROCESSOR, forceNewDeployment=True)
    told = ecs.describe_task_definition(taskDefinition="nova-event-processor")["taskDefinition"]
    container = told["containerDefinitions"][0]
    container["environment"] = [{"name": "RPC_URL", "value": f"{simulated.url}{addresses.RPC_BACKUP_PREFIX}"}]
    made = ecs.register_task_definition(family="nova-event-processor", containerDefinitions=[container])
    assert state(simulated)["state"] == "active"
    ecs.update_service(**PROCESSOR, taskDefinition=made["taskDefinition"]["taskDefinitionArn"])
    assert ended(simulated)["by"] == "The processor reads the backup RPC."


@pytest.mark.long(10)
def test_an_aws_outage_passes_by_itself(simulated: Simulated) -> None:
    simulated.control("scenario", {"name": "aws-outage"})
    ecs = simulated.client("ecs")
    with pytest.raises(ClientError) as refused:
        ecs.list_tasks(cluster="nova")
    assert refused.value.response["Error"]["Code"] == "ServiceUnavailableException"
    assert ended(simulated)["by"] == "AWS recovered."
    assert ecs.list_tasks(cluster="nova")["taskArns"]


def test_calm_ends_aws_throttling(simulated: Simulated) -> None:
    simulated.control("scenario", {"name": "aws-throttling"})
    ecs = simulated.client("ecs")

    def throttled() -> bool:
        try:
            ecs.list_tasks(cluster="nova")
        except ClientError:
            return True
        return False

    eventually(throttled, bool)
    simulated.control("scenario", {"name": "calm"})
    assert not any(throttled() for _ in range(20))


def test_calm_ends_whatever_plays(high_cpu: Simulated) -> None:
    high_cpu.control("scenario", {"name": "calm"})
    assert state(high_cpu)["scenario"] == "calm"
    eventually(lambda: cpu(high_cpu), lambda value: value < 40)


def test_the_api_server_logs_what_it_suffers(high_cpu: Simulated) -> None:
    logs = high_cpu.client("logs")

    def slow() -> list[Any]:
        answer = logs.filter_log_events(logGroupName="/nova/api", filterPattern="{ $.duration_ms > 1000 }")
        return list(answer["events"])

    assert json.loads(eventually(slow, bool)[0]["message"])["level"] in {"warning", "error"}
