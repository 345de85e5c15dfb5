"""The API server's EC2 variant: an Auto Scaling group within its bounds, and instance refresh one by one."""

from dataclasses import dataclass, field
from datetime import datetime

from moto.autoscaling.responses import AutoScalingResponse

from novaops.sandbox.aws import elbv2
from novaops.sandbox.aws.query import ZONES, Document, uuid
from novaops.sandbox.aws.wire import AwsError, Params, arn, attach
from novaops.sandbox.world import world

NOVA_GROUP = "nova-api"
BOOT_S, DRAIN_S, WARMUP_S = 60, 30, 60
HEALTHY_S = 20
TARGETS = elbv2.FLEET_TARGET_GROUP_ARN
ACTIVE = ("Pending", "InProgress", "Cancelling")


@dataclass
class Instance:
    """One EC2 instance of the group."""

    id: str
    zone: str
    state: str = "Pending"

    def described(self) -> Document:
        return {
            "InstanceId": self.id,
            "InstanceType": "t3.medium",
            "AvailabilityZone": self.zone,
            "LifecycleState": self.state,
            "HealthStatus": "Healthy",
            "LaunchTemplate": {"LaunchTemplateId": "lt-0f1e2d3c4b5a69788", "Version": "1"},
            "ProtectedFromScaleIn": False,
        }


@dataclass
class Refresh:
    """One instance refresh: how many of the instances it began with are replaced."""

    id: str
    total: int
    started_at: datetime = field(default_factory=world.now)
    ended_at: datetime | None = None
    status: str = "Pending"
    replaced: int = 0

    def end(self, status: str) -> None:
        self.status, self.ended_at = status, world.now()

    def described(self, group: str) -> Document:
        document: Document = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": group,
            "Status": self.status,
            "StartTime": self.started_at,
            "PercentageComplete": 100 * self.replaced // max(1, self.total),
            "InstancesToUpdate": self.total - self.replaced,
        }
        return {**document, **({"EndTime": self.ended_at} if self.ended_at else {})}


@dataclass
class Group:
    """One Auto Scaling group: its bounds, its instances and what happened to them, newest first."""

    name: str
    minimum: int
    maximum: int
    desired: int
    created_at: datetime = field(default_factory=world.now)
    instances: list[Instance] = field(default_factory=list)
    refreshes: list[Refresh] = field(default_factory=list)
    activities: list[Document] = field(default_factory=list)

    @property
    def staying(self) -> list[Instance]:
        return [instance for instance in self.instances if instance.state in ("Pending", "InService")]

    def describe(self) -> Document:
        return {
            "AutoScalingGroupName": self.name,
            "AutoScalingGroupARN": arn("autoscaling", f"autoScalingGroup:nova:autoScalingGroupName/{self.name}"),
            "MinSize": self.minimum,
            "MaxSize": self.maximum,
            "DesiredCapacity": self.desired,
            "DefaultCooldown": 300,
            "AvailabilityZones": list(ZONES[:2]),
            "HealthCheckType": "ELB",
            "HealthCheckGracePeriod": 60,
            "CreatedTime": self.created_at,
            "Instances": [instance.described() for instance in self.instances],
        }

    def launch(self) -> None:
        """Start one instance, in the zone that has the fewest."""
        taken = [instance.zone for instance in self.staying]
        instance = Instance(f"i-0{world.hex_id(16)}", min(ZONES[:2], key=taken.count))
        self.instances.append(instance)
        self._record(f"Launching a new EC2 instance: {instance.id}")
        world.later(BOOT_S, lambda: _enter_service(instance))

    def terminate(self, instance: Instance) -> None:
        """Drain one instance, then end it."""
        instance.state = "Terminating"
        self._record(f"Terminating EC2 instance: {instance.id}")
        elbv2.drain(TARGETS, instance.id)
        world.later(DRAIN_S, lambda: self._end(instance))

    def _end(self, instance: Instance) -> None:
        self.instances.remove(instance)
        elbv2.deregister(TARGETS, instance.id)

    def adjust(self) -> None:
        """Launch or terminate until as many stay as desired; the oldest goes first."""
        surplus = len(self.staying) - self.desired
        for instance in self.staying[: max(0, surplus)]:
            self.terminate(instance)
        for _ in range(-surplus):
            self.launch()

    def _record(self, description: str) -> None:
        activity = {
            "ActivityId": uuid(),
            "AutoScalingGroupName": self.name,
            "Description": description,
            "Cause": "the desired capacity or an instance refresh",
            "StartTime": world.now(),
            "StatusCode": "Successful",
            "Progress": 100,
        }
        self.activities.insert(0, activity)


groups: dict[str, Group] = {}


def find(name: str) -> Group:
    """The group of that name. Refuses as AWS does where there is none."""
    if name not in groups:
        raise AwsError("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return groups[name]


def in_service() -> set[str]:
    """The identifiers of all instances that can be reached."""
    return {one.id for group in groups.values() for one in group.instances if one.state == "InService"}


def describe_auto_scaling_groups(params: Params) -> Document:
    """DescribeAutoScalingGroups: those that are named and exist, or all."""
    names = params.get("AutoScalingGroupNames")
    return {"AutoScalingGroups": [group.describe() for group in groups.values() if not names or group.name in names]}


def describe_scaling_activities(params: Params) -> Document:
    """DescribeScalingActivities of one group, newest first."""
    return {"Activities": find(params["AutoScalingGroupName"]).activities[: params.get("MaxRecords", 100)]}


def set_desired_capacity(params: Params) -> Document:
    """SetDesiredCapacity: only within the group's bounds."""
    group, wanted = find(params["AutoScalingGroupName"]), int(params["DesiredCapacity"])
    if wanted > group.maximum:
        raise AwsError(
            "ValidationError",
            f"New SetDesiredCapacity value {wanted} is above max value {group.maximum} for the AutoScalingGroup.",
        )
    if wanted < group.minimum:
        raise AwsError(
            "ValidationError",
            f"New SetDesiredCapacity value {wanted} is below min value {group.minimum} for the AutoScalingGroup.",
        )
    group.desired = wanted
    group.adjust()
    return {}


def update_auto_scaling_group(params: Params) -> Document:
    """UpdateAutoScalingGroup: its bounds and desired capacity; the latter is drawn into the former."""
    group = find(params["AutoScalingGroupName"])
    minimum, maximum = int(params.get("MinSize", group.minimum)), int(params.get("MaxSize", group.maximum))
    desired = int(params.get("DesiredCapacity", min(max(group.desired, minimum), maximum)))
    if not minimum <= desired <= maximum:
        raise AwsError("ValidationError", f"Desired capacity:{desired} must be between {minimum} and {maximum}")
    group.minimum, group.maximum, group.desired = minimum, maximum, desired
    group.adjust()
    return {}


def start_instance_refresh(params: Params) -> Document:
    """StartInstanceRefresh: replaces the instances one after the other; one refresh at a time."""
    group = find(params["AutoScalingGroupName"])
    if group.refreshes and group.refreshes[0].status in ACTIVE:
        raise AwsError("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks this one.")
    refresh = Refresh(uuid(), len(group.staying))
    group.refreshes.insert(0, refresh)
    world.later(5, lambda: _replace(group, refresh, list(group.staying)))
    return {"InstanceRefreshId": refresh.id}


def describe_instance_refreshes(params: Params) -> Document:
    """DescribeInstanceRefreshes of one group, newest first."""
    group, wanted = find(params["AutoScalingGroupName"]), params.get("InstanceRefreshIds")
    found = [refresh for refresh in group.refreshes if not wanted or refresh.id in wanted]
    return {"InstanceRefreshes": [refresh.described(group.name) for refresh in found]}


def cancel_instance_refresh(params: Params) -> Document:
    """CancelInstanceRefresh: the instance being replaced still is; no other one."""
    group = find(params["AutoScalingGroupName"])
    if not group.refreshes or group.refreshes[0].status not in ("Pending", "InProgress"):
        raise AwsError("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found.")
    group.refreshes[0].status = "Cancelling"
    return {"InstanceRefreshId": group.refreshes[0].id}


def install() -> None:
    """Answer in moto's place."""
    attach(AutoScalingResponse, describe_auto_scaling_groups, describe_scaling_activities, set_desired_capacity)
    attach(AutoScalingResponse, update_auto_scaling_group, start_instance_refresh)
    attach(AutoScalingResponse, describe_instance_refreshes, cancel_instance_refresh)


def reset() -> None:
    """Forget every group."""
    groups.clear()


def seed() -> None:
    """A group of two running instances that may grow to six."""
    group = groups[NOVA_GROUP] = Group(NOVA_GROUP, 2, 6, 2)
    group.instances += [Instance(f"i-0{world.hex_id(16)}", zone, "InService") for zone in ZONES[:2]]
    for instance in group.instances:
        elbv2.register(TARGETS, instance.id, instance.zone)
        elbv2.healthy(TARGETS, instance.id)


def _enter_service(instance: Instance) -> None:
    if instance.state == "Pending":
        instance.state = "InService"
        elbv2.register(TARGETS, instance.id, instance.zone)
        world.later(HEALTHY_S, lambda: _pass_health_check(instance))


def _pass_health_check(instance: Instance) -> None:
    if instance.state == "InService":
        elbv2.healthy(TARGETS, instance.id)


def _replace(group: Group, refresh: Refresh, left: list[Instance]) -> None:
    """Replace the next of the instances that are left, and come back when its successor is warm."""
    if refresh.status == "Cancelling":
        refresh.end("Cancelled")
        return
    refresh.status = "InProgress"
    refresh.replaced = refresh.total - len(left)
    if not left:
        refresh.end("Successful")
        return
    if left[0].state == "InService":
        group.terminate(left[0])
        group.adjust()
    world.later(BOOT_S + WARMUP_S, lambda: _replace(group, refresh, left[1:]))
