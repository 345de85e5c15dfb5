"""Application Auto Scaling: the bounds inside which an ECS service may be scaled (FACTS D)."""

from dataclasses import dataclass

from novaops.cloud import aws
from novaops.environment import Environment


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
