"""The simulated ECS scheduler: starts and stops tasks until each service is as its primary deployment asks."""

from datetime import timedelta
from itertools import count

from novaops.sandbox.aws import elbv2
from novaops.sandbox.aws.ecs_model import Deployment, Json, Service, ServiceDeployment, Task, store
from novaops.sandbox.aws.wire import arn
from novaops.sandbox.world import world

# Simulated seconds. A rolling restart of two tasks takes about ninety.
PROVISIONING_S = 8.0
STARTING_S = 17.0
CRASH_S = 6.0
HEALTHY_S = 20.0
DRAINING_S = 25.0
STOPPING_S = 6.0
SETTLING_S = 12.0
RETRY_S = 10.0
# After so many failures in a row ECS says that it cannot start tasks consistently, and again each as many.
STALLED_EVERY = 3

BREAKER_REASON = "ECS deployment circuit breaker: tasks failed to start."


def deploy(service: Service, task_definition: Json, *, reason: str = "", rollback_of: Deployment | None = None) -> None:
    """Make a new primary deployment; the one before becomes ACTIVE until its tasks are gone."""
    now = world.now()
    before = service.primary if service.deployments else None
    new = Deployment(f"ecs-svc/{world.digits(19)}", task_definition, now, now)
    new.reason = reason or f"ECS deployment {new.id} in progress."
    if before:
        before.status = "ACTIVE"
        before.updated_at = now
    service.deployments.insert(0, new)
    if rollback_of is None:
        _begin_rollout(service, new, before)
    reconcile(service)


def _begin_rollout(service: Service, new: Deployment, before: Deployment | None) -> None:
    now = world.now()
    for rollout in service.rollouts:
        if rollout.finished_at is None and rollout.stopped_at is None:
            rollout.status, rollout.stopped_at, rollout.updated_at = "STOPPED", now, now
            rollout.reason = "Service deployment stopped because a newer one started."
    revision = arn("ecs", f"service-revision/{service.cluster}/{service.name}/{world.digits(19)}")
    service.revisions[revision] = new.task_definition
    source = service.rollouts[0].target_revision if service.rollouts and before else None
    name = f"service-deployment/{service.cluster}/{service.name}/{world.hex_id(20)}"
    service.rollouts.insert(0, ServiceDeployment(arn("ecs", name), new.id, now, now, source, revision))


def roll_back(service: Service, failed: Deployment, reason: str) -> bool:
    """Deploy what last worked in place of `failed`; False where nothing ever worked."""
    good = service.good_task_definition
    if good is None:
        return False
    rollout = service.rollouts[0]
    rollout.status, rollout.reason, rollout.updated_at = "ROLLBACK_IN_PROGRESS", reason, world.now()
    rollout.rollback = {
        "reason": reason,
        "startedAt": world.now(),
        "serviceRevisionArn": rollout.source_revision or rollout.target_revision,
    }
    failed.rollout_state, failed.reason, failed.updated_at = "FAILED", reason, world.now()
    deploy(service, good, reason=f"{reason} Rolling back deploymentId {failed.id}.", rollback_of=failed)
    rollout.deployment_id = service.primary.id
    return True


def reconcile(service: Service) -> None:
    """Start and stop what the rules of a rolling update allow now; what has to be waited for is scheduled."""
    primary = service.primary
    _start_missing(service, primary)
    _stop_surplus(service, primary)
    _drop_drained(service)
    if _stands(service, primary) and not service.steady and not primary.settling:
        primary.settling = True
        world.later(SETTLING_S, lambda: _settle(service, primary))


def _start_missing(service: Service, primary: Deployment) -> None:
    if primary.rollout_state == "FAILED" or service.status != "ACTIVE":
        return
    wanted = service.desired - sum(task.live for task in service.of(primary))
    started = [_start(service, primary) for _ in range(min(wanted, service.most - len(service.unstopped())))]
    if started:
        names = " ".join(f"(task {task.id})" for task in started)
        service.say(f"has started {len(started)} tasks: {names}.")


def _start(service: Service, deployment: Deployment) -> Task:
    taken = {task.ip for task in service.unstopped()}
    net = 16 if service.target_group_arn else 32
    index, ip = next((n, ip) for n in count(10) if (ip := f"10.0.{net + n % 2}.{n}") not in taken)
    task = Task(
        service.cluster,
        world.hex_id(32),
        service.name,
        deployment.id,
        deployment.task_definition,
        world.now(),
        ip,
        f"eu-west-1{'ab'[index % 2]}",
    )
    service.tasks.append(task)
    service.steady = False
    world.later(PROVISIONING_S, lambda: _pend(service, task))
    return task


def _pend(service: Service, task: Task) -> None:
    if not task.live or task.last_status != "PROVISIONING":
        return
    task.last_status = "PENDING"
    world.later(STARTING_S, lambda: _run(service, task))


def _run(service: Service, task: Task) -> None:
    if not task.live or task.last_status != "PENDING":
        return
    task.last_status = "RUNNING"
    task.started_at = world.now()
    if service.target_group_arn:
        elbv2.register(service.target_group_arn, task.ip, task.zone)
    if task.crashes():
        world.later(CRASH_S, lambda: end(task, exit_code=1))
    world.later(HEALTHY_S if service.target_group_arn else CRASH_S + 1, lambda: _pass_health_check(service, task))


def _pass_health_check(service: Service, task: Task) -> None:
    if not task.live or task.last_status != "RUNNING" or task.healthy:
        return
    task.healthy = True
    if service.target_group_arn:
        elbv2.healthy(service.target_group_arn, task.ip)
        service.say(f"registered 1 targets in (target-group {service.target_group_arn}).")
    service.primary.failed_tasks = 0
    reconcile(service)


def _stop_surplus(service: Service, primary: Deployment) -> None:
    old = [task for task in service.unstopped() if task.live and task.deployment_id != primary.id]
    mine = [task for task in service.of(primary) if task.live]
    surplus = mine[service.desired :] if len(mine) > service.desired else []
    spare = sum(task.live and task.healthy for task in service.running()) - service.fewest
    for task in [*surplus, *old]:
        if task.healthy and spare <= 0:
            continue
        spare -= task.healthy
        reason = f"Scaling activity initiated by (deployment {task.deployment_id})"
        stop(service, task, "ServiceSchedulerInitiated", reason)


def stop(service: Service, task: Task, code: str, reason: str) -> None:
    """Take a task out of its target group, let it drain, then end its containers."""
    if not task.live:
        return
    task.desired_status, task.stop_code, task.stopped_reason = "STOPPED", code, reason
    task.stopping_at = world.now()
    service.steady = False
    service.say(f"has stopped 1 running tasks: (task {task.id}).")
    drains = service.target_group_arn is not None and task.last_status == "RUNNING"
    if drains and service.target_group_arn:
        elbv2.drain(service.target_group_arn, task.ip)
        service.say(f"has begun draining connections on 1 tasks. (task {task.id})")
    world.later((DRAINING_S if drains else 0) + STOPPING_S, lambda: _stopped(service, task, 0))


def _stopped(service: Service, task: Task, exit_code: int) -> None:
    if task.last_status == "STOPPED":
        return
    task.last_status, task.desired_status, task.healthy = "STOPPED", "STOPPED", False
    task.stopped_at, task.exit_code = world.now(), exit_code
    if service.target_group_arn:
        elbv2.deregister(service.target_group_arn, task.ip)
    service.forget_old_tasks()
    if service.status == "ACTIVE":
        reconcile(service)


def end(task: Task, exit_code: int) -> None:
    """The essential container ended by itself: the task stops and counts as failed; the scheduler tries again later."""
    service = store.services[task.cluster, task.service]
    if task.last_status != "RUNNING" or not task.live:
        return
    was_healthy = task.healthy
    task.stop_code, task.stopped_reason = "EssentialContainerExited", "Essential container in task exited"
    task.last_status, task.desired_status, task.healthy = "STOPPED", "STOPPED", False
    task.stopped_at, task.exit_code = world.now(), exit_code
    if service.target_group_arn:
        elbv2.deregister(service.target_group_arn, task.ip)
    service.steady = False
    if not was_healthy:
        _count_failure(service, task)
    world.later(RETRY_S, lambda: reconcile(service))


def _count_failure(service: Service, task: Task) -> None:
    primary = service.primary
    if task.deployment_id != primary.id:
        return
    primary.failed_tasks += 1
    service.rollouts[0].failures = primary.failed_tasks
    if primary.failed_tasks % STALLED_EVERY == 0:
        service.say(
            "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section."
        )
    breaker = service.configuration["deploymentCircuitBreaker"]
    if not breaker["enable"] or primary.rollout_state != "IN_PROGRESS":
        return
    if primary.failed_tasks >= service.breaker_threshold:
        _trip(service, primary, rollback=breaker["rollback"])


def _trip(service: Service, primary: Deployment, *, rollback: bool) -> None:
    service.say(f"(deployment {primary.id}) deployment failed: tasks failed to start.")
    if rollback and roll_back(service, primary, BREAKER_REASON):
        return
    now = world.now()
    primary.rollout_state, primary.reason, primary.updated_at = "FAILED", BREAKER_REASON, now
    rollout = service.rollouts[0]
    rollout.status, rollout.reason, rollout.stopped_at, rollout.updated_at = "STOPPED", BREAKER_REASON, now, now


def _drop_drained(service: Service) -> None:
    service.deployments = [one for one in service.deployments if one.status == "PRIMARY" or service.of(one)]


def _stands(service: Service, deployment: Deployment) -> bool:
    """Whether the service is exactly what the deployment asks for."""
    mine = service.of(deployment)
    only_mine = len(mine) == len(service.unstopped()) == service.desired
    return deployment.status == "PRIMARY" and only_mine and all(task.live and task.healthy for task in mine)


def _settle(service: Service, deployment: Deployment) -> None:
    deployment.settling = False
    if not _stands(service, deployment):
        return
    if deployment.rollout_state == "IN_PROGRESS":
        _complete(service, deployment)
    service.steady = True
    service.say("has reached a steady state.")


def _complete(service: Service, deployment: Deployment) -> None:
    now = world.now()
    deployment.rollout_state, deployment.updated_at = "COMPLETED", now
    deployment.reason = f"ECS deployment {deployment.id} completed."
    service.good_task_definition = deployment.task_definition
    service.say(f"(deployment {deployment.id}) deployment completed.")
    rollout = service.rollouts[0]
    rollout.status = "ROLLBACK_SUCCESSFUL" if rollout.rollback else "SUCCESSFUL"
    rollout.finished_at = rollout.updated_at = now


def seed_steady(service: Service, task_definition: Json, *, age: timedelta) -> None:
    """Put the service in place as if it had been deployed long ago."""
    with world.at(world.now() - age):
        deploy(service, task_definition)
        for task in service.tasks:
            task.last_status, task.started_at, task.healthy = "RUNNING", world.now(), True
            if service.target_group_arn:
                elbv2.register(service.target_group_arn, task.ip, task.zone)
                elbv2.healthy(service.target_group_arn, task.ip)
        _settle(service, service.primary)
