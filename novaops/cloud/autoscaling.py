"""Application Auto Scaling's bounds of an ECS service (FACTS D), and EC2 Auto Scaling groups."""

from dataclasses import dataclass
from typing import Any

from novaops.cloud import aws
from novaops.cloud.errors import Refused
from novaops.environment import Environment

SET_DESIRED_CAPACITY = aws.Operation("autoscaling:SetDesiredCapacity")
START_INSTANCE_REFRESH = aws.Operation("autoscaling:StartInstanceRefresh")
REFRESHING = frozenset({"Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"})


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The smallest and largest number of tasks that Application Auto Scaling keeps."""

    minimum: int
    maximum: int


def ecs_bounds(environment: Environment, cluster: str, service: str) -> Bounds | None:
    """The bounds of the service; None where it is not registered as a scalable target."""
    answer = aws.read(
        environment,
        "application-autoscaling:DescribeScalableTargets",
        ServiceNamespace="ecs",
        ResourceIds=[f"service/{cluster}/{service}"],
    )
    found = next(iter(answer["ScalableTargets"]), None)
    return Bounds(minimum=found["MinCapacity"], maximum=found["MaxCapacity"]) if found else None


@dataclass(frozen=True, kw_only=True)
class Group:
    """An Auto Scaling group; `in_service` are the ids of its instances that serve, sorted."""

    minimum: int
    maximum: int
    desired: int
    in_service: tuple[str, ...]
    instances: int


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """An instance refresh; `status` is Successful, Failed, Cancelled, one of REFRESHING or of a rollback."""

    id: str
    status: str
    percent: int
    reason: str

    @property
    def active(self) -> bool:
        return self.status in REFRESHING


def group(environment: Environment, name: str) -> Group:
    """The group now. Raises Refused where there is none of that name: AWS answers with an empty list."""
    answer = aws.read(environment, "autoscaling:DescribeAutoScalingGroups", AutoScalingGroupNames=[name])
    found = next(iter(answer["AutoScalingGroups"]), None)
    if found is None:
        raise Refused(f"There is no Auto Scaling group {name}", code="MISSING")
    serving = [one["InstanceId"] for one in found["Instances"] if one["LifecycleState"] == "InService"]
    return Group(
        minimum=found["MinSize"],
        maximum=found["MaxSize"],
        desired=found["DesiredCapacity"],
        in_service=tuple(sorted(serving)),
        instances=len(found["Instances"]),
    )


def refreshes(environment: Environment, name: str) -> tuple[Refresh, ...]:
    """The group's instance refreshes, newest first."""
    answer = aws.read(environment, "autoscaling:DescribeInstanceRefreshes", AutoScalingGroupName=name, MaxRecords=20)
    return tuple(_refresh(found) for found in answer["InstanceRefreshes"])


def _refresh(found: dict[str, Any]) -> Refresh:
    return Refresh(
        id=found["InstanceRefreshId"],
        status=found["Status"],
        percent=found.get("PercentageComplete", 0),
        reason=found.get("StatusReason", ""),
    )
