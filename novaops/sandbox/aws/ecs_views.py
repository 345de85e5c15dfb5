"""How the simulated ECS describes its services, deployments and tasks on the wire."""

from novaops.sandbox.aws.ecs_model import Deployment, Json, Service, ServiceDeployment, Task
from novaops.sandbox.aws.wire import arn


def counts(tasks: list[Task]) -> Json:
    """Running and pending counts of some tasks."""
    running = sum(task.last_status == "RUNNING" for task in tasks)
    waiting = sum(task.last_status in ("PROVISIONING", "PENDING") and task.live for task in tasks)
    return {"runningCount": running, "pendingCount": waiting}


def deployment(service: Service, one: Deployment) -> Json:
    """One entry of a service's deployments."""
    return {
        "id": one.id,
        "status": one.status,
        "taskDefinition": one.task_definition["taskDefinitionArn"],
        "desiredCount": service.desired if one.status == "PRIMARY" else 0,
        **counts(service.of(one)),
        "failedTasks": one.failed_tasks,
        "createdAt": one.created_at,
        "updatedAt": one.updated_at,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "rolloutState": one.rollout_state,
        "rolloutStateReason": one.reason,
    }


def service(one: Service) -> Json:
    """One entry of describe_services."""
    balancers = [{"targetGroupArn": one.target_group_arn, "containerName": "api", "containerPort": 8080}]
    described = {
        "serviceArn": one.arn,
        "serviceName": one.name,
        "clusterArn": arn("ecs", f"cluster/{one.cluster}"),
        "loadBalancers": balancers if one.target_group_arn else [],
        "serviceRegistries": [],
        "status": one.status,
        "desiredCount": one.desired,
        **counts(one.unstopped()),
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "taskDefinition": one.primary.task_definition["taskDefinitionArn"],
        "deploymentConfiguration": one.configuration,
        "deployments": [deployment(one, each) for each in one.deployments],
        "events": one.events,
        "createdAt": one.created_at,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "propagateTags": "NONE",
        "enableECSManagedTags": False,
        "enableExecuteCommand": False,
        **one.settings,
    }
    unfinished = [each for each in one.rollouts if each.finished_at is None and each.stopped_at is None]
    return described | ({"currentServiceDeployment": unfinished[0].arn} if unfinished else {})


def service_deployment(owner: Service, one: ServiceDeployment) -> Json:
    """One entry of describe_service_deployments."""
    mine = [task for task in owner.unstopped() if task.deployment_id == one.deployment_id]
    others = [task for task in owner.unstopped() if task.deployment_id != one.deployment_id]
    described = {
        **brief(owner, one),
        "updatedAt": one.updated_at,
        "stoppedAt": one.stopped_at,
        "sourceServiceRevisions": [_revision(one.source_revision, others, None)] if one.source_revision else [],
        "targetServiceRevision": _revision(one.target_revision, mine, owner.desired),
        "rollback": one.rollback,
        "deploymentConfiguration": owner.configuration,
        "deploymentCircuitBreaker": _breaker(owner, one),
    }
    return {key: value for key, value in described.items() if value is not None}


def brief(owner: Service, one: ServiceDeployment) -> Json:
    """One entry of list_service_deployments."""
    described = {
        "serviceDeploymentArn": one.arn,
        "serviceArn": owner.arn,
        "clusterArn": arn("ecs", f"cluster/{owner.cluster}"),
        "startedAt": one.created_at,
        "createdAt": one.created_at,
        "finishedAt": one.finished_at,
        "targetServiceRevisionArn": one.target_revision,
        "status": one.status,
        "statusReason": one.reason or None,
    }
    return {key: value for key, value in described.items() if value is not None}


def _revision(revision_arn: str | None, tasks: list[Task], requested: int | None) -> Json:
    numbers = counts(tasks)
    return {
        "arn": revision_arn,
        "requestedTaskCount": len(tasks) if requested is None else requested,
        "runningTaskCount": numbers["runningCount"],
        "pendingTaskCount": numbers["pendingCount"],
    }


def service_revision(revision_arn: str, owner: Service, definition: Json) -> Json:
    """One entry of describe_service_revisions."""
    return {
        "serviceRevisionArn": revision_arn,
        "serviceArn": owner.arn,
        "clusterArn": arn("ecs", f"cluster/{owner.cluster}"),
        "taskDefinition": definition["taskDefinitionArn"],
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
    }


def _breaker(owner: Service, one: ServiceDeployment) -> Json:
    tripped = one.failures >= owner.breaker_threshold
    if not owner.configuration["deploymentCircuitBreaker"]["enable"]:
        status = "MONITORING_COMPLETE"
    else:
        status = "TRIGGERED" if tripped else "MONITORING_COMPLETE" if one.finished_at else "MONITORING"
    return {"status": status, "failureCount": one.failures, "threshold": owner.breaker_threshold}


def task(one: Task) -> Json:
    """One entry of describe_tasks."""
    definition = one.task_definition
    described = {
        "taskArn": one.arn,
        "clusterArn": arn("ecs", f"cluster/{one.cluster}"),
        "taskDefinitionArn": definition["taskDefinitionArn"],
        "group": f"service:{one.service}",
        "startedBy": one.deployment_id,
        "lastStatus": _last_status(one),
        "desiredStatus": one.desired_status,
        "healthStatus": "HEALTHY" if one.healthy else "UNKNOWN",
        "availabilityZone": one.zone,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "connectivity": "CONNECTED",
        "cpu": definition.get("cpu"),
        "memory": definition.get("memory"),
        "createdAt": one.created_at,
        "startedAt": one.started_at,
        "stoppingAt": one.stopping_at,
        "stoppedAt": one.stopped_at,
        "stopCode": one.stop_code,
        "stoppedReason": one.stopped_reason,
        "attachments": [_attachment(one)],
        "containers": [_container(one, each) for each in definition["containerDefinitions"]],
    }
    return {key: value for key, value in described.items() if value is not None}


def _last_status(one: Task) -> str:
    return "DEACTIVATING" if one.last_status == "RUNNING" and not one.live else one.last_status


def _attachment(one: Task) -> Json:
    return {
        "id": f"{one.id[:8]}-{one.id[8:12]}-{one.id[12:16]}-{one.id[16:20]}-{one.id[20:]}",
        "type": "ElasticNetworkInterface",
        "status": "DELETED" if one.last_status == "STOPPED" else "ATTACHED",
        "details": [{"name": "privateIPv4Address", "value": one.ip}],
    }


def _container(one: Task, definition: Json) -> Json:
    described = {
        "containerArn": arn("ecs", f"container/{one.cluster}/{one.id}/{definition['name']}"),
        "taskArn": one.arn,
        "name": definition["name"],
        "image": definition["image"],
        "lastStatus": one.last_status if one.last_status != "PROVISIONING" else "PENDING",
        "exitCode": one.exit_code,
        "runtimeId": f"{one.id}-{definition['name']}",
        "networkInterfaces": [{"privateIpv4Address": one.ip}],
        "healthStatus": "HEALTHY" if one.healthy else "UNKNOWN",
    }
    return {key: value for key, value in described.items() if value is not None}
