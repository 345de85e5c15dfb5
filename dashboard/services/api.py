"""The API server: ECS tasks or EC2 instances behind the load balancer."""

from collections.abc import Mapping
from dataclasses import asdict

from dashboard.models import Severity
from dashboard.samples import Value
from dashboard.services.base import (
    Asking,
    Chart,
    Columns,
    Observation,
    Rule,
    Series,
    Service,
    Setting,
    Source,
    TileValue,
    register,
)
from dashboard.services.containers import ECS_SERIES, TASK_DEFINITION, ecs_values, missing_tasks, read_variables
from novaops.cloud import autoscaling, elbv2
from novaops.environment import Environment

ECS = "AWS/ECS"
ALB = "AWS/ApplicationELB"
GROUP = "Auto Scaling"
OF_SERVICE = ("ClusterName", "ServiceName")
OF_TARGETS = ("LoadBalancer", "TargetGroup")


def read_tasks(asking: Asking) -> Observation:
    """Desired, running and pending tasks, and the deployments."""
    return ecs_values(asking, asking.environment.api.ecs)


def read_group(asking: Asking) -> Observation:
    """Wanted, serving and starting instances of the Auto Scaling group."""
    found = autoscaling.group(asking.environment, asking.environment.api.on_ec2.autoscaling_group)
    serving = len(found.in_service)
    return Observation(
        values={"desired": found.desired, "running": serving, "pending": found.instances - serving},
        facts={"smallest": found.minimum, "largest": found.maximum},
    )


def read_settings(asking: Asking) -> Observation:
    """The settings of the revision that runs."""
    return read_variables(asking, asking.environment.api.ecs)


def read_targets(asking: Asking) -> Observation:
    """What the load balancer thinks of each target now; AWS/ApplicationELB tells it minutes later."""
    targets = elbv2.target_health(asking.environment, asking.environment.api.target_group_arn)
    ill = [target for target in targets if target.ill]
    return Observation(
        values={"healthy_targets": sum(target.healthy for target in targets), "ill_targets": len(ill)},
        facts={"targets": [asdict(target) for target in targets]},
    )


@register
class Api(Service):
    """Node.js REST API for merchants and users; the ALB before it is the only public entry point."""

    kind = "api"
    title = "API server"
    series = (
        Series(
            name="healthy_hosts", unit="hosts", metric=f"{ALB}:HealthyHostCount", statistic="Minimum", by=OF_TARGETS
        ),
        Series(
            name="requests",
            unit="requests",
            metric=f"{ALB}:RequestCount",
            statistic="Sum",
            by=OF_TARGETS,
            zero_beside="healthy_hosts",
        ),
        Series(
            name="target_5xx",
            unit="requests",
            metric=f"{ALB}:HTTPCode_Target_5XX_Count",
            statistic="Sum",
            by=OF_TARGETS,
            zero_beside="requests",
        ),
        Series(
            name="elb_5xx",
            unit="requests",
            metric=f"{ALB}:HTTPCode_ELB_5XX_Count",
            statistic="Sum",
            by=("LoadBalancer",),
            zero_beside="requests",
        ),
        Series(name="error_rate", unit="%"),
        Series(name="response_p50", unit="s", metric=f"{ALB}:TargetResponseTime", statistic="p50", by=OF_TARGETS),
        Series(name="response_p95", unit="s", metric=f"{ALB}:TargetResponseTime", statistic="p95", by=OF_TARGETS),
        Series(name="response_p99", unit="s", metric=f"{ALB}:TargetResponseTime", statistic="p99", by=OF_TARGETS),
        Series(name="healthy_targets", unit="targets", source="ALB"),
        Series(name="ill_targets", unit="targets", source="ALB"),
    )
    on_ecs = (
        Series(name="cpu", unit="%", metric=f"{ECS}:CPUUtilization", by=OF_SERVICE),
        Series(name="memory", unit="%", metric=f"{ECS}:MemoryUtilization", by=OF_SERVICE),
        *ECS_SERIES,
    )
    on_ec2 = (
        Series(name="cpu", unit="%", metric="AWS/EC2:CPUUtilization", by=("AutoScalingGroupName",)),
        Series(name="desired", unit="instances", source=GROUP),
        Series(name="running", unit="instances", source=GROUP),
        Series(name="pending", unit="instances", source=GROUP),
        Series(name="missing_tasks", unit="instances", source=GROUP),
    )
    rules = (
        Rule(
            key="high-cpu",
            title="High CPU",
            series="cpu",
            says="The API server's CPU is at {value:.0f} %",
            above=80,
            band=10,
            section="High CPU",
            causes=("more traffic than the tasks can carry", "a runaway process", "a deployment shortly before"),
            offers=("scale-api", "restart-api", "scale-api-ec2", "restart-api-ec2", "refresh-api-instances"),
        ),
        Rule(
            key="error-rate",
            title="Server errors",
            series="error_rate",
            says="{value:.1f} % of the API server's requests fail",
            above=5,
            band=3,
            for_s=120,
            section="Restart the API Server",
            causes=("a bad deployment", "the database or Redis cannot be reached", "tasks that are out of memory"),
            offers=("roll-back-api", "restart-api", "restart-api-ec2"),
        ),
        Rule(
            key="no-healthy-target",
            title="No healthy target",
            series="healthy_targets",
            says="The load balancer has no healthy API server",
            below=1,
            for_s=30,
            section="Restart the API Server",
            causes=("every task fails its health check", "no task is running"),
            offers=("restart-api", "roll-back-api", "restart-api-ec2"),
        ),
        Rule(
            key="unhealthy-hosts",
            title="Unhealthy targets",
            series="ill_targets",
            says="{value:.0f} of the API server's targets are unhealthy",
            above=0,
            for_s=120,
            severity=Severity.WARN,
            section="Restart the API Server",
            causes=("a task that hangs", "a bad deployment"),
            offers=("restart-api", "roll-back-api", "restart-api-ec2"),
        ),
        Rule(
            key="missing-tasks",
            title="Tasks missing",
            series="missing_tasks",
            says="{value:.0f} of the API server's tasks or instances are not running",
            above=0,
            severity=Severity.WARN,
            section="Restart the API Server",
            causes=("tasks that stop right after their start", "no capacity"),
            offers=("restart-api", "roll-back-api", "restart-api-ec2"),
        ),
        Rule(
            key="failed-deployment",
            title="Failed deployment",
            series="failed_deployments",
            says="A deployment of the API server failed, or cannot start its tasks",
            above=0,
            for_s=60,
            severity=Severity.WARN,
            section="Restart the API Server",
            causes=("a release that does not start", "an image or secret that is not there", "no capacity"),
            offers=("roll-back-api", "restart-api"),
        ),
    )
    tile = (
        TileValue(label="CPU", series="cpu", unit="%"),
        TileValue(label="Errors", series="error_rate", unit="%", digits=1),
        TileValue(label="Healthy", series="healthy_targets", of="desired"),
    )
    charts = (
        Chart(key="cpu", title="CPU and memory", series=("cpu", "memory")),
        Chart(key="response", title="Response time", series=("response_p95", "response_p50", "response_p99")),
        Chart(key="requests", title="Requests a period", series=("requests", "target_5xx", "elb_5xx")),
        Chart(key="errors", title="Failed requests", series=("error_rate",)),
        Chart(key="targets", title="Targets of the load balancer", series=("healthy_targets", "ill_targets")),
        Chart(key="tasks", title="Tasks", series=("running", "desired", "pending")),
    )
    settings = (
        Setting(label="DB_POOL_MAX", fact="variables.DB_POOL_MAX", source=TASK_DEFINITION),
        Setting(label="DB_HOST", fact="variables.DB_HOST", source=TASK_DEFINITION),
        Setting(label="Revision", fact="task_definition", source="ECS"),
    )
    spark = "cpu"
    spark_label = "CPU of the API server in % over 3 hours"

    def own_series_in(self, environment: Environment) -> tuple[Series, ...]:
        return (*(self.on_ecs if environment.api.kind == "ecs" else self.on_ec2), *self.series)

    def sources_in(self, environment: Environment) -> tuple[Source, ...]:
        load_balancer = Source(name="ALB", read=read_targets)
        if environment.api.kind != "ecs":
            return (load_balancer, Source(name=GROUP, read=read_group))
        settings = Source(name=TASK_DEFINITION, read=read_settings)
        return (load_balancer, Source(name="ECS", read=read_tasks), settings)

    def dimensions(self, environment: Environment, node: str) -> dict[str, str]:
        api = environment.api
        return {
            "ClusterName": api.ecs.cluster if api.ecs else "",
            "ServiceName": api.ecs.service if api.ecs else "",
            "AutoScalingGroupName": api.ec2.autoscaling_group if api.ec2 else "",
            "LoadBalancer": api.load_balancer,
            "TargetGroup": api.target_group,
        }

    def derive(self, environment: Environment, new: Columns, before: Mapping[str, Value]) -> Columns:
        """The share of requests that failed (FACTS E), and how many tasks are missing."""
        failed, refused = new.get("target_5xx", {}), new.get("elb_5xx", {})
        rate = {
            at: _percent(failed.get(at, 0) + refused.get(at, 0), requests)
            for at, requests in new.get("requests", {}).items()
        }
        return {"error_rate": rate, "missing_tasks": missing_tasks(new)}


def _percent(errors: float, requests: float) -> float:
    """Of all requests; those refused before a target was chosen are not counted among them, so at most 100."""
    if not errors:
        return 0.0
    return min(100 * errors / requests, 100.0) if requests else 100.0
