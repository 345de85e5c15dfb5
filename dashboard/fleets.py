"""What the actions on the API server's EC2 fleet share: its instances, and whether they serve."""

from novaops.cloud import autoscaling, elbv2
from novaops.environment import Environment
from novaops.runbook.action import Context, Progress, Verdict, Verify


def on_ec2(environment: Environment) -> bool:
    """Whether the API server runs on EC2."""
    return environment.api.kind == "ec2"


def states(environment: Environment) -> dict[str, str]:
    """The health of each instance as the load balancer sees it, by instance id."""
    found = elbv2.target_health(environment, environment.api.target_group_arn)
    return {target.id: target.state for target in found}


def verify_serving(*, key: str = "healthy") -> Verify:
    """As many instances as are wanted serve behind the load balancer."""
    return Verify(key=key, title="Every instance is healthy behind the load balancer", look=_serving, timeout_s=900)


def _serving(ctx: Context) -> Progress:
    found = autoscaling.group(ctx.environment, ctx.target)
    now = states(ctx.environment)
    healthy = sum(now.get(instance) == "healthy" for instance in found.in_service)
    done = healthy >= found.desired and found.instances == found.desired
    sentence = f"{healthy} of {found.desired} instances are healthy behind the load balancer"
    leaving = found.instances - found.desired
    if leaving > 0:
        sentence += f", {leaving} more are on their way out"
    percent = min(100, round(100 * healthy / max(1, found.desired)))
    return Progress(verdict=Verdict.DONE if done else Verdict.NOT_YET, sentence=sentence, percent=percent)
