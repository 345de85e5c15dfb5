"""Faults befall exactly the calls they are set for, and the ledger of effects tells what really happened."""

import json
import time
import urllib.error
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.sandbox.conftest import Simulated

API = {"cluster": "nova", "service": "nova-api"}


def restart(simulated: Simulated) -> Any:
    return simulated.client("ecs").update_service(**API, forceNewDeployment=True)


def deployments(simulated: Simulated) -> int:
    return len(
        simulated.client("ecs").describe_services(cluster="nova", services=["nova-api"])["services"][0]["deployments"]
    )


def fault(simulated: Simulated, kind: str, **more: Any) -> None:
    simulated.control("faults", [{"service": "ecs", "operation": "UpdateService", "kind": kind, **more}])


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "ThrottlingException", 400),
        ("error-before", "InternalServerError", 500),
        ("denied", "AccessDeniedException", 403),
        ("outage", "ServiceUnavailableException", 503),
    ],
)
def test_some_faults_prevent_the_effect(simulated: Simulated, kind: str, code: str, status: int) -> None:
    fault(simulated, kind)
    with pytest.raises(ClientError) as refused:
        restart(simulated)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert deployments(simulated) == 1
    assert [one["outcome"] for one in simulated.control("effects")] == [code]


def test_query_services_have_their_own_codes(simulated: Simulated) -> None:
    simulated.control("faults", [{"service": "rds", "kind": "throttle"}])
    with pytest.raises(ClientError) as refused:
        simulated.client("rds").describe_db_instances()
    assert refused.value.response["Error"]["Code"] == "Throttling"


def test_an_error_after_the_effect(simulated: Simulated) -> None:
    fault(simulated, "error-after")
    with pytest.raises(ClientError) as refused:
        restart(simulated)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert deployments(simulated) == 2
    assert [(one["outcome"], one["fault"]) for one in simulated.control("effects")] == [("ok", "error-after")]


def test_a_connection_dropped_after_the_effect(simulated: Simulated) -> None:
    fault(simulated, "drop-after")
    with pytest.raises(BotoCoreError):
        restart(simulated)
    assert deployments(simulated) == 2


def test_a_hang_comes_after_the_effect_and_holds_nobody_else_up(simulated: Simulated) -> None:
    fault(simulated, "hang", seconds=3)
    began = time.monotonic()
    with pytest.raises(BotoCoreError):
        impatient(simulated).update_service(**API, forceNewDeployment=True)
    assert deployments(simulated) == 2
    assert time.monotonic() - began < 2.5


def impatient(simulated: Simulated) -> Any:
    once = Config(read_timeout=0.5, retries={"total_max_attempts": 1})
    return boto3.client("ecs", endpoint_url=simulated.url, region_name="eu-west-1", config=once)


def test_a_fault_runs_out(simulated: Simulated) -> None:
    fault(simulated, "throttle", times=2)
    for _ in range(2):
        with pytest.raises(ClientError):
            restart(simulated)
    restart(simulated)
    assert [one["outcome"] for one in simulated.control("effects")] == ["ThrottlingException"] * 2 + ["ok"]


def test_an_empty_list_clears(simulated: Simulated) -> None:
    fault(simulated, "outage", times=0)
    simulated.control("faults", [])
    restart(simulated)


def test_other_operations_are_left_alone(simulated: Simulated) -> None:
    fault(simulated, "outage", times=0)
    assert deployments(simulated) == 1


def test_a_wrong_fault_is_refused_with_what_is_allowed(simulated: Simulated) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        simulated.control("faults", [{"kind": "gremlins"}])
    assert refused.value.code == 400
    assert "drop-after" in json.load(refused.value)["error"]


def test_only_changes_are_effects(simulated: Simulated) -> None:
    simulated.client("ecs").list_tasks(cluster="nova")
    simulated.client("sts").get_caller_identity()
    simulated.client("cloudwatch").put_metric_data(Namespace="Tests", MetricData=[{"MetricName": "m", "Value": 1}])
    simulated.client("ecs", "novaops/run-7").update_service(**API, desiredCount=3)
    effects = simulated.control("effects")
    assert [(one["service"], one["operation"], one["outcome"]) for one in effects] == [("ecs", "UpdateService", "ok")]
    assert effects[0]["params"] == {"cluster": "nova", "service": "nova-api", "desiredCount": 3}
    assert "novaops/run-7" in effects[0]["user_agent"]
    assert effects[0]["request_id"]


def test_a_refused_change_is_recorded_as_refused(simulated: Simulated) -> None:
    ecs = simulated.client("ecs")
    with pytest.raises(ClientError):
        ecs.update_service(cluster="nova", service="nowhere", forceNewDeployment=True)
    assert [one["outcome"] for one in simulated.control("effects")] == ["ServiceNotFoundException"]
