"""Application Load Balancer: which targets of a target group are healthy, and why not."""

from dataclasses import dataclass

from novaops.cloud import aws
from novaops.environment import Environment

# A target that is starting or being taken out is not ill.
PASSING = frozenset({"initial", "draining"})


@dataclass(frozen=True, kw_only=True)
class Target:
    """A registered target. `state` is healthy, unhealthy, initial, draining, unused or unavailable."""

    id: str
    state: str
    reason: str
    description: str

    @property
    def healthy(self) -> bool:
        return self.state == "healthy"

    @property
    def ill(self) -> bool:
        """Registered to serve, and not able to."""
        return not self.healthy and self.state not in PASSING


def target_health(environment: Environment, target_group_arn: str) -> tuple[Target, ...]:
    """Every target of the group with its health as the load balancer sees it now."""
    answer = aws.read(environment, "elbv2:DescribeTargetHealth", TargetGroupArn=target_group_arn)
    return tuple(
        Target(
            id=found["Target"]["Id"],
            state=found["TargetHealth"]["State"],
            reason=found["TargetHealth"].get("Reason", ""),
            description=found["TargetHealth"].get("Description", ""),
        )
        for found in answer["TargetHealthDescriptions"]
    )
