"""The simulated ECS: services whose rolling deployments take time, as FACTS.md D tells it. moto's is replaced."""

import copy
import os
from datetime import timedelta
from typing import Any

from moto.ecs.responses import EC2ContainerServiceResponse

from novaops.sandbox.aws import ecs_scheduler, ecs_views, elbv2, task_definitions
from novaops.sandbox.aws.ecs_model import Json, Service, ServiceDeployment, Task, store
from novaops.sandbox.aws.wire import AwsError, Params, arn, attach
from novaops.sandbox.world import world

CLUSTER = "nova"
API = "nova-api"
DB_HOST = "nova-db.c0nova1sandb.eu-west-1.rds.amazonaws.com"
PROCESSOR = "nova-event-processor"
DEFAULTS: Json = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
}
SEEDED_AGE = timedelta(days=9)
# Fields of create_service and update_service that are only told back.
TOLD_BACK = ("networkConfiguration", "healthCheckGracePeriodSeconds", "enableExecuteCommand", "propagateTags")
# What starts a deployment when it changes (FACTS D): the count and the deployment configuration do not.
DEPLOYING = ("taskDefinition", "networkConfiguration", "loadBalancers", "platformVersion", "capacityProviderStrategy")


def service_of(cluster: str | None, name: str) -> Service:
    """The service by name or ARN. Raises what ECS answers where cluster or service is unknown."""
    known = _cluster(cluster)
    service = store.services.get((known, _last(name)))
    if service is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")
    return service


def _cluster(name: str | None) -> str:
    short = _last(name or "default")
    if short not in store.clusters:
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return short


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def create_cluster(params: Params) -> dict[str, Any]:
    """ecs:CreateCluster."""
    name = params.get("clusterName") or "default"
    cluster = {"clusterArn": arn("ecs", f"cluster/{name}"), "clusterName": name, "status": "ACTIVE"}
    return {"cluster": store.clusters.setdefault(name, cluster)}


def describe_clusters(params: Params) -> dict[str, Any]:
    """ecs:DescribeClusters."""
    names = [_last(name) for name in params.get("clusters") or ["default"]]
    missing = [
        {"arn": arn("ecs", f"cluster/{name}"), "reason": "MISSING"} for name in names if name not in store.clusters
    ]
    return {"clusters": [store.clusters[name] for name in names if name in store.clusters], "failures": missing}


def list_clusters(_params: Params) -> dict[str, Any]:
    """ecs:ListClusters."""
    return {"clusterArns": [cluster["clusterArn"] for cluster in store.clusters.values()]}


def create_service(params: Params) -> dict[str, Any]:
    """ecs:CreateService."""
    cluster, name = _cluster(params.get("cluster")), params["serviceName"]
    if (cluster, name) in store.services:
        raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")
    service = _new_service(cluster, name, params)
    ecs_scheduler.deploy(service, task_definitions.find(params["taskDefinition"]))
    return {"service": ecs_views.service(service)}


def _new_service(cluster: str, name: str, params: Params) -> Service:
    balancers = params.get("loadBalancers") or []
    service = Service(
        cluster,
        name,
        params.get("desiredCount", 1),
        world.now(),
        _merged(DEFAULTS, params.get("deploymentConfiguration") or {}),
        balancers[0].get("targetGroupArn") if balancers else None,
        {key: params[key] for key in TOLD_BACK if key in params},
    )
    store.services[cluster, name] = service
    return service


def _merged(before: Json, change: Json) -> Json:
    return {**copy.deepcopy(before), **change}


def update_service(params: Params) -> dict[str, Any]:
    """ecs:UpdateService: a count or configuration alone starts no deployment, anything of DEPLOYING or force does."""
    service = service_of(params.get("cluster"), params["service"])
    if service.status != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    definition = service.primary.task_definition
    if name := params.get("taskDefinition"):
        definition = task_definitions.find(name)
        if definition["status"] != "ACTIVE":
            raise AwsError("ClientException", "TaskDefinition is inactive")
    _set(service, params)
    changed = [key for key in DEPLOYING if params.get(key) and key != "taskDefinition"]
    if params.get("forceNewDeployment") or changed or definition is not service.primary.task_definition:
        ecs_scheduler.deploy(service, definition)
    else:
        ecs_scheduler.reconcile(service)
    return {"service": ecs_views.service(service)}


def _set(service: Service, params: Params) -> None:
    count = params.get("desiredCount")
    if count is not None and count < 0:
        raise AwsError("InvalidParameterException", "desiredCount must not be negative.")
    if count is not None and count != service.desired:
        service.desired = count
        service.steady = False
    service.configuration = _merged(service.configuration, params.get("deploymentConfiguration") or {})
    service.settings |= {key: params[key] for key in TOLD_BACK if key in params}


def delete_service(params: Params) -> dict[str, Any]:
    """ecs:DeleteService."""
    service = service_of(params.get("cluster"), params["service"])
    if service.desired and not params.get("force"):
        raise AwsError("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
    service.status, service.desired = "INACTIVE", 0
    for task in service.unstopped():
        ecs_scheduler.stop(service, task, "ServiceSchedulerInitiated", "Service was deleted")
    return {"service": ecs_views.service(service)}


def describe_services(params: Params) -> dict[str, Any]:
    """ecs:DescribeServices: unknown services are failures with HTTP 200, at most ten names."""
    cluster, names = _cluster(params.get("cluster")), params["services"]
    if len(names) > 10:
        raise AwsError("InvalidParameterException", "Services cannot contain more than 10 elements.")
    found = [store.services.get((cluster, _last(name))) for name in names]
    missing = [
        {"arn": arn("ecs", f"service/{cluster}/{_last(name)}"), "reason": "MISSING"}
        for name, service in zip(names, found, strict=True)
        if service is None
    ]
    return {"services": [ecs_views.service(service) for service in found if service], "failures": missing}


def list_services(params: Params) -> dict[str, Any]:
    """ecs:ListServices."""
    cluster = _cluster(params.get("cluster"))
    return {"serviceArns": [service.arn for (where, _), service in store.services.items() if where == cluster]}


def list_tasks(params: Params) -> dict[str, Any]:
    """ecs:ListTasks: those meant to run, or with desiredStatus STOPPED those stopped."""
    cluster, name = _cluster(params.get("cluster")), params.get("serviceName")
    services = [service_of(cluster, name)] if name else [s for (c, _), s in store.services.items() if c == cluster]
    wanted, family = params.get("desiredStatus") or "RUNNING", params.get("family")
    tasks = [task for service in services for task in service.tasks if task.desired_status == wanted]
    chosen = [task for task in tasks if family in (None, task.task_definition["family"])]
    started_by = params.get("startedBy")
    return {"taskArns": [task.arn for task in chosen if started_by in (None, task.deployment_id)]}


def describe_tasks(params: Params) -> dict[str, Any]:
    """ecs:DescribeTasks."""
    _cluster(params.get("cluster"))
    known = {task.id: task for task in store.tasks()}
    names = [_last(name) for name in params["tasks"]]
    missing = [{"arn": name, "reason": "MISSING"} for name in params["tasks"] if _last(name) not in known]
    return {"tasks": [ecs_views.task(known[name]) for name in names if name in known], "failures": missing}


def stop_task(params: Params) -> dict[str, Any]:
    """ecs:StopTask."""
    task = _task(params["task"])
    service = store.services[task.cluster, task.service]
    ecs_scheduler.stop(service, task, "UserInitiated", params.get("reason") or "Task stopped by user")
    return {"task": ecs_views.task(task)}


def _task(name: str) -> Task:
    task = next((task for task in store.tasks() if task.id == _last(name)), None)
    if task is None:
        raise AwsError("InvalidParameterException", "The referenced task was not found.")
    return task


def list_service_deployments(params: Params) -> dict[str, Any]:
    """ecs:ListServiceDeployments, newest first."""
    service = service_of(params.get("cluster"), params["service"])
    wanted = params.get("status") or []
    rollouts = [one for one in service.rollouts if not wanted or one.status in wanted]
    return {"serviceDeployments": [ecs_views.brief(service, one) for one in rollouts]}


def describe_service_deployments(params: Params) -> dict[str, Any]:
    """ecs:DescribeServiceDeployments."""
    arns = params["serviceDeploymentArns"]
    known = {one.arn: (service, one) for service in store.services.values() for one in service.rollouts}
    missing = [{"arn": name, "reason": "MISSING"} for name in arns if name not in known]
    found = [ecs_views.service_deployment(*known[name]) for name in arns if name in known]
    return {"serviceDeployments": found, "failures": missing}


def describe_service_revisions(params: Params) -> dict[str, Any]:
    """ecs:DescribeServiceRevisions: which task definition a service ran."""
    arns = params["serviceRevisionArns"]
    known = {name: (service, one) for service in store.services.values() for name, one in service.revisions.items()}
    missing = [{"arn": name, "reason": "MISSING"} for name in arns if name not in known]
    found = [ecs_views.service_revision(name, *known[name]) for name in arns if name in known]
    return {"serviceRevisions": found, "failures": missing}


def stop_service_deployment(params: Params) -> dict[str, Any]:
    """ecs:StopServiceDeployment: ROLLBACK (the default) deploys what last worked, ABORT leaves all as it is."""
    name = params["serviceDeploymentArn"]
    service, rollout = _rollout(name)
    if rollout.finished_at or rollout.stopped_at or rollout.rollback:
        raise AwsError("ConflictException", "The service deployment is not in progress.")
    reason = "Service deployment stopped by user request."
    if (params.get("stopType") or "ROLLBACK") == "ROLLBACK" and ecs_scheduler.roll_back(
        service, service.primary, reason
    ):
        return {"serviceDeploymentArn": name}
    rollout.status, rollout.reason, rollout.stopped_at, rollout.updated_at = "STOPPED", reason, world.now(), world.now()
    return {"serviceDeploymentArn": name}


def _rollout(name: str) -> tuple[Service, ServiceDeployment]:
    for service in store.services.values():
        for one in service.rollouts:
            if one.arn == name:
                return service, one
    raise AwsError("ServiceDeploymentNotFoundException", "The service deployment was not found.")


def install() -> None:
    """Answer in moto's place."""
    attach(EC2ContainerServiceResponse, create_cluster, describe_clusters, list_clusters, create_service)
    attach(EC2ContainerServiceResponse, update_service, delete_service, describe_services, list_services)
    attach(EC2ContainerServiceResponse, list_tasks, describe_tasks, stop_task, stop_service_deployment)
    attach(EC2ContainerServiceResponse, list_service_deployments, describe_service_deployments)
    attach(EC2ContainerServiceResponse, describe_service_revisions)
    attach(
        EC2ContainerServiceResponse,
        task_definitions.register_task_definition,
        task_definitions.describe_task_definition,
        task_definitions.deregister_task_definition,
        task_definitions.list_task_definitions,
    )


def reset() -> None:
    """Forget all."""
    store.clear()


def seed() -> None:
    """Nova's cluster with its two services, deployed days ago."""
    create_cluster({"clusterName": CLUSTER})
    settings = [{"name": "DB_POOL_MAX", "value": "20"}, {"name": "DB_HOST", "value": DB_HOST}]
    api = _definition(API, "api", settings, cpu="1024", memory="2048")
    _steady(API, api, count=2, group=elbv2.TARGET_GROUP_ARN, configuration={})
    # The processor must never run twice at once (FACTS D), so its old task ends before the new one starts.
    alone = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    environment = [
        {"name": "RPC_URL", "value": os.environ["NOVA_RPC_URL"]},
        {"name": "DATABASE_URL", "value": os.environ.get("NOVA_DATABASE_URL", "postgresql://nova-db/nova")},
    ]
    processor = _definition(PROCESSOR, "processor", environment, cpu="512", memory="1024")
    _steady(PROCESSOR, processor, count=1, group=None, configuration=alone)


def _definition(family: str, container: str, environment: list[Json], *, cpu: str, memory: str) -> Json:
    log = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": f"/nova/{container}", "awslogs-stream-prefix": container},
    }
    if container == "processor":
        log["options"] = {"awslogs-group": "/nova/event-processor", "awslogs-stream-prefix": container}
    role = arn("iam", "role/nova-task").replace(":eu-west-1:", "::")
    return task_definitions.register(
        {
            "family": family,
            "taskRoleArn": role,
            "executionRoleArn": role + "-execution",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": cpu,
            "memory": memory,
            "containerDefinitions": [
                {
                    "name": container,
                    "image": f"{family}:2026.11.1",
                    "essential": True,
                    "portMappings": [{"containerPort": elbv2.PORT}] if container == "api" else [],
                    "environment": environment,
                    "logConfiguration": log,
                }
            ],
            "tags": [{"key": "team", "value": "nova"}, {"key": "managed-by", "value": "terraform"}],
        }
    )


def _steady(name: str, definition: Json, *, count: int, group: str | None, configuration: Json) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    params: Params = {"desiredCount": count, "deploymentConfiguration": breaker | configuration}
    if group:
        params["loadBalancers"] = [{"targetGroupArn": group}]
    with world.at(world.now() - SEEDED_AGE):
        service = _new_service(CLUSTER, name, params)
    ecs_scheduler.seed_steady(service, definition, age=SEEDED_AGE)
