"""What the actions on ECS services share: looking at a service, rolling out, and judging a rollout by its own id."""

from typing import Any

from novaops.cloud import ecs, elbv2
from novaops.environment import EcsService, Environment
from novaops.runbook.action import Context, Effect, Precheck, Progress, Repeat, Seen, Verdict, Wait

# Without a circuit breaker a bad deployment stays in progress for ever: our own limit (FACTS D).
ROLLOUT_TIMEOUT_S = 900.0


def facts(environment: Environment, service: EcsService) -> dict[str, Any]:
    """What a rollout hangs on: a change of any of these between preview and run voids the plan."""
    found = ecs.describe_service(environment, service.cluster, service.service)
    return {
        "status": found.status,
        "desired": found.desired,
        "task_definition": found.task_definition,
        "deployment": found.primary.id,
        "rollout": found.primary.rollout_state,
    }


def prechecks(ctx: Context) -> list[Precheck]:
    """Conditions of every rollout: the service is active, has tasks, and is not rolling out already."""
    return [
        Precheck.require(ctx.facts["status"] == "ACTIVE", "The service is active.", "The service is not active."),
        Precheck.require(
            ctx.facts["desired"] > 0,
            f"{ctx.facts['desired']} tasks are wanted.",
            "No task is wanted: a rollout would start nothing. Scale out first.",
        ),
        Precheck.require(
            ctx.facts["rollout"] != "IN_PROGRESS",
            "No other rollout is in progress.",
            f"The rollout {ctx.facts['deployment']} is still in progress: wait for it to end.",
        ),
    ]


def force_new_deployment(service: EcsService) -> Effect:
    """The runbook's `aws ecs update-service --force-new-deployment`."""
    return Effect(
        key="deploy",
        title=f"Start a new deployment of {service.service}",
        call=ecs.UPDATE_SERVICE,
        params={"cluster": service.cluster, "service": service.service, "forceNewDeployment": True},
        repeat=Repeat.ONCE,
        before=lambda ctx: {"deployments": _deployment_ids(ctx.environment, service)},
        observe=lambda ctx, before: _new_deployment(ctx.environment, service, before["deployments"]),
        result=lambda answer: {"deployment": ecs.primary_id(answer["service"])},
    )


def _deployment_ids(environment: Environment, service: EcsService) -> list[str]:
    return [one.id for one in ecs.describe_service(environment, service.cluster, service.service).deployments]


def _new_deployment(environment: Environment, service: EcsService, known: list[str]) -> Seen | None:
    primary = ecs.describe_service(environment, service.cluster, service.service).primary
    if primary.id in known:
        return None
    sentence = f"A deployment is there that was not there before: {primary.id}"
    return Seen(sentence=sentence, result={"deployment": primary.id})


def wait_for_rollout(service: EcsService) -> Wait:
    """Wait until the deployment that the step `deploy` started is PRIMARY and COMPLETED."""
    return Wait(
        key="rollout",
        title="New tasks start, old ones drain",
        look=lambda ctx: _rollout(ctx, service),
        timeout_s=ROLLOUT_TIMEOUT_S,
    )


def _rollout(ctx: Context, service: EcsService) -> Progress:
    wanted = str(ctx.results["deploy"]["deployment"])
    found = ecs.describe_service(ctx.environment, service.cluster, service.service)
    ours = found.deployment(wanted)
    if ours is None or ours.status != "PRIMARY":
        sentence = f"Another deployment ({found.primary.id}) took the place of ours ({wanted})."
        return Progress(verdict=Verdict.FAILED, sentence=sentence)
    if ours.rollout_state == "FAILED":
        return Progress(verdict=Verdict.FAILED, sentence=f"ECS gave the deployment up: {ours.reason}")
    sentence = f"{ours.running} of {ours.desired} new tasks run"
    if ours.rollout_state == "COMPLETED":
        return Progress(verdict=Verdict.DONE, sentence=f"{sentence}; ECS calls the deployment completed.")
    failed = f", {ours.failed_tasks} failed to start" if ours.failed_tasks else ""
    percent = min(99, round(100 * ours.running / max(1, ours.desired)))
    return Progress(verdict=Verdict.NOT_YET, sentence=sentence + failed, percent=percent)


def tasks_serve(ctx: Context, service: EcsService, target_group_arn: str | None) -> Progress:
    """Whether as many tasks run as are wanted and, behind a load balancer, as many targets are healthy."""
    found = ecs.describe_service(ctx.environment, service.cluster, service.service)
    if found.running < found.desired:
        sentence = f"{found.running} of {found.desired} tasks run"
        return Progress(verdict=Verdict.NOT_YET, sentence=sentence, percent=_percent(found.running, found.desired))
    if not target_group_arn:
        return Progress(verdict=Verdict.DONE, sentence=f"All {found.desired} tasks run.")
    healthy = sum(target.healthy for target in elbv2.target_health(ctx.environment, target_group_arn))
    sentence = f"{healthy} of {found.desired} tasks are healthy behind the load balancer"
    done = healthy >= found.desired
    return Progress(
        verdict=Verdict.DONE if done else Verdict.NOT_YET, sentence=sentence, percent=_percent(healthy, found.desired)
    )


def _percent(part: int, whole: int) -> int:
    return min(100, round(100 * part / max(1, whole)))
