"""What the actions on ECS services share: looking at a service, rolling out, and judging a rollout by its own id."""

from typing import Any

from novaops.cloud import ecs, elbv2, task_definitions
from novaops.environment import EcsService, Environment
from novaops.runbook.action import (
    Context,
    Effect,
    FromRun,
    FromStep,
    Precheck,
    Progress,
    Repeat,
    Seen,
    Verdict,
    Verify,
    Wait,
    sendable,
)
from novaops.words import counted, there_are

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
    """Conditions of every rollout that does not replace another one."""
    quiet = Precheck.require(
        ctx.facts["rollout"] != "IN_PROGRESS",
        "No other rollout is in progress.",
        f"The rollout {ctx.facts['deployment']} is still in progress: wait for it to end.",
    )
    return [*can_deploy(ctx), quiet]


def can_deploy(ctx: Context) -> list[Precheck]:
    """Conditions of every deployment: the service is active and has tasks."""
    return [
        Precheck.require(ctx.facts["status"] == "ACTIVE", "The service is active.", "The service is not active."),
        Precheck.require(
            ctx.facts["desired"] > 0,
            f"{there_are(ctx.facts['desired'], 'task')} wanted.",
            "No task is wanted: a rollout would start nothing. Scale out first.",
        ),
    ]


def force_new_deployment(service: EcsService, *, key: str = "deploy") -> Effect:
    """The runbook's `aws ecs update-service --force-new-deployment`."""
    return Effect(
        key=key,
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


def register_copy(service: EcsService, source: str, changes: dict[str, Any], *, key: str = "register") -> Effect:
    """Register a copy of the revision `source` with changed variables; `changes` as RegisterCopy takes them.

    Nothing guards it: a second registration would be a second revision. The tag that names the run finds the first.
    """
    tags = {task_definitions.RUN_TAG: FromRun("{run}")}
    return Effect(
        key=key,
        title=f"Register a new revision of {service.task_family}",
        call=task_definitions.REGISTER_COPY,
        params={"taskDefinition": source, "container": service.container, **changes, "tags": tags},
        repeat=Repeat.ONCE,
        before=lambda ctx: {"revisions": list(task_definitions.newest(ctx.environment, service.task_family, 20))},
        observe=lambda ctx, before: _registered(ctx, service, before["revisions"]),
        result=lambda answer: {"task_definition": answer["taskDefinition"]["taskDefinitionArn"]},
    )


def _registered(ctx: Context, service: EcsService, known: list[str]) -> Seen | None:
    found = task_definitions.registered_by(ctx.environment, service.task_family, ctx.run_id, known)
    sentence = f"{short(found or '')} carries the tag of this run"
    return Seen(sentence=sentence, result={"task_definition": found}) if found else None


def deploy(service: EcsService, task_definition: str | FromStep, *, key: str = "deploy") -> Effect:
    """Let the service run this revision.

    Converging: setting the task definition that the service has already starts no deployment (FACTS D). What a
    circuit breaker or somebody else put in its place counts as seen, so that it is never sent again over that.
    """
    named = short(task_definition) if isinstance(task_definition, str) else "the new revision"
    return Effect(
        key=key,
        title=f"Deploy {named} to {service.service}",
        call=ecs.UPDATE_SERVICE,
        params={"cluster": service.cluster, "service": service.service, "taskDefinition": task_definition},
        repeat=Repeat.CONVERGING,
        before=lambda ctx: {"deployments": _deployment_ids(ctx.environment, service)},
        observe=lambda ctx, before: _deployed(ctx, service, sendable(task_definition, ctx), before["deployments"]),
        result=lambda answer: {"deployment": ecs.primary_id(answer["service"])},
    )


def _deployed(ctx: Context, service: EcsService, wanted: str, known: list[str]) -> Seen | None:
    found = ecs.describe_service(ctx.environment, service.cluster, service.service)
    new = [one for one in found.deployments if one.id not in known]
    ours = next((one for one in new if one.task_definition == wanted), None)
    if ours:
        return Seen(sentence=f"{short(wanted)} is deployed as {ours.id}", result={"deployment": ours.id})
    if new:
        return Seen(sentence=f"{new[0].id} came in between", result={"deployment": ""})
    return None


def short(arn: str) -> str:
    """`family:revision` of a task definition's ARN."""
    return arn.rpartition("/")[2]


def wait_for_rollout(service: EcsService, *, of: str = "deploy", key: str = "rollout") -> Wait:
    """Wait until the deployment that the step `of` started is PRIMARY and COMPLETED."""
    return Wait(
        key=key,
        title="New tasks start, old ones drain",
        look=lambda ctx: rollout(ctx, service, str(ctx.results[of]["deployment"])),
        timeout_s=ROLLOUT_TIMEOUT_S,
    )


def verify_healthy(service: EcsService, target_group_arn: str | None, *, key: str = "healthy") -> Verify:
    """As many tasks as are wanted run and, behind a load balancer, are healthy."""
    return Verify(
        key=key,
        title="New tasks are healthy behind the load balancer" if target_group_arn else "The new task runs",
        look=lambda ctx: tasks_serve(ctx, service, target_group_arn),
        timeout_s=300,
    )


def rollout(ctx: Context, service: EcsService, wanted: str) -> Progress:
    """How far the deployment of that id is: judged by it alone, never by another one's success."""
    found = ecs.describe_service(ctx.environment, service.cluster, service.service)
    ours = found.deployment(wanted)
    if ours is None or ours.status != "PRIMARY":
        ended = f" ({found.primary.reason})" if found.primary.reason else ""
        sentence = f"Another deployment, {found.primary.id}, took the place of ours, {wanted or 'never seen'}{ended}."
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
        return Progress(verdict=Verdict.DONE, sentence=f"{found.desired} of {counted(found.desired, 'task')} run.")
    healthy = sum(target.healthy for target in elbv2.target_health(ctx.environment, target_group_arn))
    sentence = f"{healthy} of {found.desired} tasks are healthy behind the load balancer"
    done = healthy >= found.desired
    return Progress(
        verdict=Verdict.DONE if done else Verdict.NOT_YET, sentence=sentence, percent=_percent(healthy, found.desired)
    )


def _percent(part: int, whole: int) -> int:
    return min(100, round(100 * part / max(1, whole)))
