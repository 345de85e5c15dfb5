"""The simulated ECS behaves as FACTS D says of the real one."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import Simulated, eventually

API = {"cluster": "nova", "service": "nova-api"}
PROCESSOR = {"cluster": "nova", "service": "nova-event-processor"}


@pytest.fixture
def ecs(simulated: Simulated) -> Any:
    return simulated.client("ecs")


def described(ecs: Any, name: str = "nova-api") -> dict[str, Any]:
    return ecs.describe_services(cluster="nova", services=[name])["services"][0]


def primary(service: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in service["deployments"] if one["status"] == "PRIMARY")


def completed(ecs: Any, name: str, deployment_id: str) -> dict[str, Any]:
    def done(service: dict[str, Any]) -> bool:
        return primary(service)["id"] == deployment_id and primary(service)["rolloutState"] == "COMPLETED"

    return eventually(lambda: described(ecs, name), done)


def healthy_targets(simulated: Simulated) -> list[str]:
    group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/nova-api/73e2d6bc24d8a067"
    targets = simulated.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return [target["TargetHealth"]["State"] for target in targets]


def broken_revision(ecs: Any) -> str:
    container = {"name": "api", "image": "nova-api:broken", "essential": True}
    made = ecs.register_task_definition(family="nova-api", containerDefinitions=[container], cpu="1024", memory="2048")
    return made["taskDefinition"]["taskDefinitionArn"]


def test_it_starts_with_two_steady_services(ecs: Any) -> None:
    services = ecs.describe_services(cluster="nova", services=["nova-api", "nova-event-processor"])["services"]
    assert [(s["serviceName"], s["desiredCount"], s["runningCount"]) for s in services] == [
        ("nova-api", 2, 2),
        ("nova-event-processor", 1, 1),
    ]
    assert [primary(s)["rolloutState"] for s in services] == ["COMPLETED", "COMPLETED"]


def test_it_reports_unknown_services_as_failures(ecs: Any) -> None:
    answer = ecs.describe_services(cluster="nova", services=["nowhere"])
    assert answer["services"] == []
    assert answer["failures"][0]["reason"] == "MISSING"


def test_it_refuses_unknown_clusters_and_services(ecs: Any) -> None:
    with pytest.raises(ecs.exceptions.ClusterNotFoundException):
        ecs.describe_services(cluster="nowhere", services=["nova-api"])
    with pytest.raises(ecs.exceptions.ServiceNotFoundException):
        ecs.update_service(cluster="nova", service="nowhere", forceNewDeployment=True)


def test_a_forced_deployment_rolls_without_losing_capacity(simulated: Simulated, ecs: Any) -> None:
    before = {task["taskArn"] for task in tasks(ecs, "nova-api")}
    started = ecs.update_service(**API, forceNewDeployment=True)["service"]
    assert primary(started)["id"].startswith("ecs-svc/")
    assert primary(started)["rolloutState"] == "IN_PROGRESS"
    assert [one["status"] for one in started["deployments"]] == ["PRIMARY", "ACTIVE"]
    fewest = 9

    def capacity() -> dict[str, Any]:
        nonlocal fewest
        fewest = min(fewest, healthy_targets(simulated).count("healthy"))
        return described(ecs)

    ended = eventually(capacity, lambda service: primary(service)["rolloutState"] == "COMPLETED")
    assert primary(ended)["id"] == primary(started)["id"]
    assert len(ended["deployments"]) == 1
    assert fewest == 2
    assert before.isdisjoint(task["taskArn"] for task in tasks(ecs, "nova-api"))
    assert ended["events"][0]["message"] == "(service nova-api) has reached a steady state."


def tasks(ecs: Any, name: str, status: str = "RUNNING") -> list[dict[str, Any]]:
    arns = ecs.list_tasks(cluster="nova", serviceName=name, desiredStatus=status)["taskArns"]
    return ecs.describe_tasks(cluster="nova", tasks=arns)["tasks"] if arns else []


def test_targets_follow_the_tasks(simulated: Simulated, ecs: Any) -> None:
    ecs.update_service(**API, forceNewDeployment=True)
    eventually(lambda: healthy_targets(simulated), lambda states: "initial" in states)
    eventually(lambda: healthy_targets(simulated), lambda states: "draining" in states)
    eventually(lambda: healthy_targets(simulated), lambda states: states == ["healthy", "healthy"])


def test_a_count_alone_starts_no_deployment(ecs: Any) -> None:
    before = described(ecs)
    after = ecs.update_service(**API, desiredCount=4)["service"]
    assert primary(after)["id"] == primary(before)["id"]
    assert len(after["deployments"]) == 1
    eventually(lambda: described(ecs), lambda service: service["runningCount"] == 4)


def test_scaling_in_drains_and_stops_the_surplus(ecs: Any) -> None:
    kept = {task["taskArn"] for task in tasks(ecs, "nova-api")}
    ecs.update_service(**API, desiredCount=3)
    eventually(lambda: described(ecs), lambda service: service["events"][0]["message"].endswith("steady state."))
    ecs.update_service(**API, desiredCount=2)
    eventually(lambda: described(ecs), lambda service: service["runningCount"] == 2)
    assert {task["taskArn"] for task in tasks(ecs, "nova-api")} == kept


def test_the_processor_never_runs_twice(ecs: Any) -> None:
    started = ecs.update_service(**PROCESSOR, forceNewDeployment=True)["service"]
    most = 0

    def count() -> dict[str, Any]:
        nonlocal most
        service = described(ecs, "nova-event-processor")
        most = max(most, service["runningCount"] + service["pendingCount"])
        return service

    eventually(count, lambda service: primary(service)["rolloutState"] == "COMPLETED")
    assert most == 1
    assert primary(described(ecs, "nova-event-processor"))["id"] == primary(started)["id"]


def test_stopped_tasks_tell_why(ecs: Any) -> None:
    ecs.update_service(**PROCESSOR, forceNewDeployment=True)
    stopped = eventually(
        lambda: [t for t in tasks(ecs, "nova-event-processor", "STOPPED") if t["lastStatus"] == "STOPPED"], bool
    )
    assert stopped[0]["stopCode"] == "ServiceSchedulerInitiated"
    assert stopped[0]["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc/")
    assert stopped[0]["containers"][0]["exitCode"] == 0


def test_the_circuit_breaker_rolls_a_broken_release_back(ecs: Any) -> None:
    good = described(ecs)["taskDefinition"]
    failed = primary(ecs.update_service(**API, taskDefinition=broken_revision(ecs))["service"])["id"]
    ended = eventually(
        lambda: described(ecs),
        lambda s: s["taskDefinition"] == good and primary(s)["rolloutState"] == "COMPLETED",
        timeout_s=40,
    )
    assert primary(ended)["id"] != failed
    assert "circuit breaker" in primary(ended)["rolloutStateReason"] or ended["events"]
    rollout = ecs.list_service_deployments(**API)["serviceDeployments"][0]
    detail = ecs.describe_service_deployments(serviceDeploymentArns=[rollout["serviceDeploymentArn"]])
    assert detail["serviceDeployments"][0]["status"] == "ROLLBACK_SUCCESSFUL"
    assert detail["serviceDeployments"][0]["deploymentCircuitBreaker"]["failureCount"] >= 3
    assert {task["stopCode"] for task in tasks(ecs, "nova-api", "STOPPED")} >= {"EssentialContainerExited"}


def test_without_rollback_a_broken_release_stays_failed_and_the_old_tasks_serve(ecs: Any) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    ecs.update_service(**API, taskDefinition=broken_revision(ecs), deploymentConfiguration=breaker)
    ended = eventually(
        lambda: described(ecs), lambda service: primary(service)["rolloutState"] == "FAILED", timeout_s=40
    )
    assert primary(ended)["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert next(one for one in ended["deployments"] if one["status"] == "ACTIVE")["runningCount"] == 2


def test_a_running_rollout_can_be_rolled_back(ecs: Any) -> None:
    good = described(ecs)["taskDefinition"]
    ecs.update_service(**API, taskDefinition=broken_revision(ecs))
    arn = described(ecs)["currentServiceDeployment"]
    ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    ended = eventually(lambda: described(ecs), lambda service: primary(service)["rolloutState"] == "COMPLETED")
    assert ended["taskDefinition"] == good
    statuses = [one["status"] for one in ecs.list_service_deployments(**API)["serviceDeployments"]]
    assert statuses[0] == "ROLLBACK_SUCCESSFUL"


def test_a_finished_rollout_cannot_be_stopped(ecs: Any) -> None:
    arn = ecs.list_service_deployments(**API)["serviceDeployments"][0]["serviceDeploymentArn"]
    with pytest.raises(ClientError) as refused:
        ecs.stop_service_deployment(serviceDeploymentArn=arn)
    assert refused.value.response["Error"]["Code"] == "ConflictException"


def test_a_task_definition_comes_back_as_registered_with_its_tags(ecs: Any) -> None:
    seeded = ecs.describe_task_definition(taskDefinition="nova-event-processor", include=["TAGS"])
    members = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
    again = {key: value for key, value in seeded["taskDefinition"].items() if key in members}
    again["containerDefinitions"][0]["environment"].append({"name": "START_BLOCK", "value": "1200"})
    made = ecs.register_task_definition(**again, tags=seeded["tags"])["taskDefinition"]
    assert made["revision"] == seeded["taskDefinition"]["revision"] + 1
    told = ecs.describe_task_definition(taskDefinition=made["taskDefinitionArn"], include=["TAGS"])
    assert told["tags"] == seeded["tags"] != []
    assert {key: told["taskDefinition"][key] for key in again} == again


def test_tags_are_told_only_where_asked_for(ecs: Any) -> None:
    assert not ecs.describe_task_definition(taskDefinition="nova-api").get("tags")


def test_an_unknown_task_definition_is_refused(ecs: Any) -> None:
    with pytest.raises(ecs.exceptions.ClientException):
        ecs.update_service(**API, taskDefinition="nova-api:99")


def test_the_api_scales_between_two_and_eight(simulated: Simulated) -> None:
    scaling = simulated.client("application-autoscaling")
    name = {"ServiceNamespace": "ecs", "ResourceIds": ["service/nova/nova-api"]}
    target = scaling.describe_scalable_targets(**name)["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 8)
    one = {key: target[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
    scaling.register_scalable_target(**one, MinCapacity=4)
    target = scaling.describe_scalable_targets(**name)["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (4, 8)


def test_an_operation_the_sandbox_lacks_is_an_aws_error(ecs: Any) -> None:
    with pytest.raises(ClientError) as refused:
        ecs.execute_command(cluster="nova", task="x", command="ls", interactive=True)
    assert refused.value.response["Error"]["Code"] == "InvalidAction"
