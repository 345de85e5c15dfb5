"""Application Auto Scaling of the sandbox: the bounds within which the API server's task count may move."""

from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

from novaops.sandbox.aws.wire import AwsError, Params, arn, attach
from novaops.sandbox.world import world

_targets: dict[tuple[str, str, str], dict[str, Any]] = {}
FREE = {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False}


def _key(params: Params) -> tuple[str, str, str]:
    return params["ServiceNamespace"], params["ResourceId"], params["ScalableDimension"]


def describe_scalable_targets(params: Params) -> dict[str, Any]:
    """application-autoscaling:DescribeScalableTargets."""
    wanted, dimension = params.get("ResourceIds"), params.get("ScalableDimension")
    found = [target for target in _targets.values() if target["ServiceNamespace"] == params["ServiceNamespace"]]
    chosen = [target for target in found if not wanted or target["ResourceId"] in wanted]
    return {"ScalableTargets": [target for target in chosen if dimension in (None, target["ScalableDimension"])]}


def register_scalable_target(params: Params) -> dict[str, Any]:
    """application-autoscaling:RegisterScalableTarget: what is left out keeps its value."""
    key = _key(params)
    before = _targets.get(key)
    if before is None and None in (params.get("MinCapacity"), params.get("MaxCapacity")):
        raise AwsError("ValidationException", "MinCapacity and MaxCapacity are required for a new scalable target.")
    target = before or {
        "RoleARN": arn("iam", "role/aws-service-role/ecs.application-autoscaling").replace(":eu-west-1:", "::"),
        "CreationTime": world.now(),
        "SuspendedState": dict(FREE),
        "ScalableTargetARN": arn("application-autoscaling", f"scalable-target/{world.hex_id(12)}"),
    }
    given = {name: value for name, value in params.items() if value is not None and name != "Tags"}
    suspended = {**target["SuspendedState"], **(params.get("SuspendedState") or {})}
    _targets[key] = {**target, **given, "SuspendedState": suspended}
    if _targets[key]["MinCapacity"] > _targets[key]["MaxCapacity"]:
        raise AwsError("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    return {"ScalableTargetARN": target["ScalableTargetARN"]}


def deregister_scalable_target(params: Params) -> dict[str, Any]:
    """application-autoscaling:DeregisterScalableTarget."""
    if _targets.pop(_key(params), None) is None:
        raise AwsError("ObjectNotFoundException", "No scalable target registered for these parameters.")
    return {}


def install() -> None:
    """Answer in moto's place."""
    attach(ApplicationAutoScalingResponse, describe_scalable_targets, register_scalable_target)
    attach(ApplicationAutoScalingResponse, deregister_scalable_target)


def reset() -> None:
    """Forget all."""
    _targets.clear()


def seed() -> None:
    """The API server runs between two and eight tasks."""
    register_scalable_target(
        {
            "ServiceNamespace": "ecs",
            "ResourceId": "service/nova/nova-api",
            "ScalableDimension": "ecs:service:DesiredCount",
            "MinCapacity": 2,
            "MaxCapacity": 8,
        }
    )
