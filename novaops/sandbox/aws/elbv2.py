"""The simulated load balancer: one ALB and its target group, whose targets follow the ECS tasks."""

from dataclasses import dataclass
from typing import Any

from moto.elbv2.responses import ELBV2Response

from novaops.sandbox.aws.wire import AwsError, Params, arn, attach
from novaops.sandbox.world import world

LOAD_BALANCER = "app/nova-alb/50dc6c495c0c9188"
TARGET_GROUP = "targetgroup/nova-api/73e2d6bc24d8a067"
LOAD_BALANCER_ARN = arn("elasticloadbalancing", f"loadbalancer/{LOAD_BALANCER}")
TARGET_GROUP_ARN = arn("elasticloadbalancing", TARGET_GROUP)
# Of the API server's EC2 variant; its targets are instances.
FLEET_TARGET_GROUP_ARN = arn("elasticloadbalancing", "targetgroup/nova-api-ec2/9c1d2e3f4a5b6c7d")
PORT = 8080

REASONS = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
    "unhealthy": ("Target.FailedHealthChecks", "Health checks failed"),
}


@dataclass
class Target:
    """One address behind the load balancer; state: initial, healthy, unhealthy or draining."""

    zone: str
    state: str = "initial"


_groups: dict[str, dict[str, Target]] = {}
_created: dict[str, Any] = {}


def register(group_arn: str, ip: str, zone: str) -> None:
    """Add a target; it is `initial` until its health checks pass."""
    _groups.setdefault(group_arn, {})[ip] = Target(zone)


def healthy(group_arn: str, ip: str) -> None:
    """Its health checks passed."""
    _set_state(group_arn, ip, "healthy")


def unhealthy(group_arn: str, ip: str) -> None:
    """Its health checks fail."""
    _set_state(group_arn, ip, "unhealthy")


def drain(group_arn: str, ip: str) -> None:
    """It gets no new connections."""
    _set_state(group_arn, ip, "draining")


def deregister(group_arn: str, ip: str) -> None:
    """Remove a target; nothing happens where it is not there."""
    _groups.get(group_arn, {}).pop(ip, None)


def _set_state(group_arn: str, ip: str, state: str) -> None:
    target = _groups.get(group_arn, {}).get(ip)
    if target:
        target.state = state


def states(group_arn: str) -> list[str]:
    """The state of every target of the group."""
    return [target.state for target in _groups.get(group_arn, {}).values()]


def describe_target_health(params: Params) -> dict[str, Any]:
    """elbv2:DescribeTargetHealth."""
    group_arn = params["TargetGroupArn"]
    if group_arn not in _groups:
        raise AwsError("TargetGroupNotFound", "One or more target groups not found")
    wanted = {target["Id"] for target in params.get("Targets") or []}
    found = [(ip, target) for ip, target in _groups[group_arn].items() if not wanted or ip in wanted]
    return {"TargetHealthDescriptions": [_described(ip, target) for ip, target in found]}


def _described(ip: str, target: Target) -> dict[str, Any]:
    health = {"State": target.state}
    if target.state in REASONS:
        health["Reason"], health["Description"] = REASONS[target.state]
    return {
        "Target": {"Id": ip, "Port": PORT, "AvailabilityZone": target.zone},
        "HealthCheckPort": str(PORT),
        "TargetHealth": health,
    }


def describe_target_groups(params: Params) -> dict[str, Any]:
    """elbv2:DescribeTargetGroups."""
    if unknown := [one for one in params.get("TargetGroupArns") or [] if one != TARGET_GROUP_ARN]:
        raise AwsError("TargetGroupNotFound", f"One or more target groups not found: {unknown}")
    group = {
        "TargetGroupArn": TARGET_GROUP_ARN,
        "TargetGroupName": "nova-api",
        "Protocol": "HTTP",
        "Port": PORT,
        "VpcId": "vpc-0a1b2c3d4e5f60718",
        "HealthCheckPath": "/healthz",
        "HealthCheckProtocol": "HTTP",
        "HealthCheckIntervalSeconds": 10,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
        "LoadBalancerArns": [LOAD_BALANCER_ARN],
        "TargetType": "ip",
    }
    return {"TargetGroups": [group]}


def describe_load_balancers(params: Params) -> dict[str, Any]:
    """elbv2:DescribeLoadBalancers."""
    if unknown := [one for one in params.get("LoadBalancerArns") or [] if one != LOAD_BALANCER_ARN]:
        raise AwsError("LoadBalancerNotFound", f"One or more load balancers not found: {unknown}")
    balancer = {
        "LoadBalancerArn": LOAD_BALANCER_ARN,
        "LoadBalancerName": "nova-alb",
        "DNSName": "nova-alb-1234567890.eu-west-1.elb.amazonaws.com",
        "CreatedTime": _created["at"],
        "Scheme": "internet-facing",
        "State": {"Code": "active"},
        "Type": "application",
        "AvailabilityZones": [{"ZoneName": "eu-west-1a"}, {"ZoneName": "eu-west-1b"}],
    }
    return {"LoadBalancers": [balancer]}


def install() -> None:
    """Answer in moto's place."""
    attach(ELBV2Response, describe_target_health, describe_target_groups, describe_load_balancers)


def reset() -> None:
    """Forget all."""
    _groups.clear()
    _created.clear()


def seed() -> None:
    """The empty target group of Nova's API server."""
    _groups[TARGET_GROUP_ARN] = {}
    _created["at"] = world.now()
