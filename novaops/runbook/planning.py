"""Making a plan: an action resolved against what is seen of its target, and the digest that proves it unchanged."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from novaops import environment as environments
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment
from novaops.runbook.action import MOVING, Action, AnyStep, Context, Effect, shown
from novaops.runbook.models import Plan, Run, Undo
from novaops.runbook.registry import actions
from novaops.runbook.states import RunStatus

HISTORY = 20


class Invalid(Exception):
    """A plan was asked for that cannot exist; `field` is what was wrong, the message what is allowed."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def draft(
    action: Action,
    environment: Environment,
    target: str,
    params: dict[str, Any],
    *,
    by: User,
    incident: int | None,
    undoes: Undo | None = None,
) -> Plan:
    """A plan row still to be resolved. Raises Invalid where the action has no such target there."""
    if not action.applies(environment):
        raise Invalid("environment", f"{action.title} does not apply to {environment.title}.")
    if not action.may_target(environment, target):
        allowed = ", ".join(action.targets(environment)) or "one that a page lists"
        raise Invalid("target", f"{target!r} is not declared in {environment.title}: use {allowed}.")
    return Plan.objects.create(
        action=action.key,
        environment=environment.name,
        service=action.service,
        target=target,
        params=params,
        incident=incident,
        undoes=undoes,
        requested_by=by,
        affects=action.affects,
        undo=action.undo,
        expected_s=typical_s(action, environment),
    )


def resolve(plan: Plan) -> None:
    """Look at the target and fill the plan; a plan that is resolved already stays as it is."""
    if plan.state != Plan.State.RESOLVING:
        return
    action = actions[plan.action]()
    try:
        ctx = look(action, plan)
    except OutsideError as failure:
        _settle(plan, state=Plan.State.FAILED, sentence=f"{failure}. Nothing was changed.")
        return
    steps = [described(step) for step in action.steps(ctx)]
    _settle(
        plan,
        state=Plan.State.READY,
        facts=dict(ctx.facts),
        steps=steps,
        changes=[vars(change) for change in action.changes(ctx)],
        prechecks=[vars(check) for check in action.prechecks(ctx)],
        digest=digest(plan, ctx.facts, steps),
    )


def _settle(plan: Plan, **fields: Any) -> None:
    fields["resolved_at"] = datetime.now(UTC)
    with transaction.atomic():
        Plan.objects.filter(pk=plan.pk, state=Plan.State.RESOLVING).update(**fields)
    plan.refresh_from_db()


def look(action: Action, plan: Plan) -> Context:
    """The plan's context with the target as it is now. Raises an OutsideError."""
    ctx = context(plan)
    return replace(ctx, facts=action.look(ctx))


def context(plan: Plan) -> Context:
    """The plan's context with the facts it was made from. Raises Invalid where its environment is declared no more."""
    environment = environments.get(plan.environment)
    if environment is None:
        raise Invalid("environment", f"The environment {plan.environment} is not declared any more.")
    return Context(environment=environment, target=plan.target, params=plan.params, facts=plan.facts)


def run_context(run: Run) -> Context:
    """The context of a run under way: the plan's, with what the steps before its cursor resulted in."""
    ctx = context(run.plan)
    results = {step.key: step.result for step in run.steps.all() if step.position < run.cursor or step.result}
    return replace(ctx, results=results, run_id=run.pk, by=run.requested_by.get_username(), reason=run.reason)


def described(step: AnyStep) -> dict[str, Any]:
    """The step as it is shown, stored and covered by the digest."""
    if not isinstance(step, Effect):
        return {"key": step.key, "title": step.title, "kind": step.kind, "timeout_s": step.timeout_s}
    params = shown(step.params)
    return {
        "key": step.key,
        "title": step.title,
        "kind": step.kind,
        "operation": step.call.name,
        "params": params,
        "command_line": step.call.command_line(params),
        "repeat": step.repeat.value,
    }


def digest(plan: Plan, facts: Any, steps: list[dict[str, Any]]) -> str:
    """sha256 over what will be done, where, and what was seen of the target when that was decided."""
    covered = [plan.action, plan.environment, plan.target, plan.params, lasting(facts), steps]
    return hashlib.sha256(json.dumps(covered, sort_keys=True, default=str).encode()).hexdigest()


def lasting(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts without those that move by themselves, whose change voids no plan."""
    return {key: value for key, value in facts.items() if key != MOVING}


def typical_s(action: Action, environment: Environment) -> float:
    """Median duration of the last succeeded runs here, in seconds; the declared one while there are none."""
    past = Run.objects.filter(action=action.key, environment=environment.name, status=RunStatus.SUCCEEDED)
    durations = past.annotate(took=F("finished_at") - F("started_at")).values_list("took", flat=True)[:HISTORY]
    seconds = [took.total_seconds() for took in durations if took]
    return median(seconds) if seconds else action.expected_s


def track_record(action: Action, environment: Environment) -> tuple[int, int]:
    """How many of the last runs here succeeded, of how many that ended in success or failure."""
    ended = (RunStatus.SUCCEEDED, RunStatus.FAILED)
    past = Run.objects.filter(action=action.key, environment=environment.name, status__in=ended)
    outcomes = list(past.values_list("status", flat=True)[:HISTORY])
    return outcomes.count(RunStatus.SUCCEEDED), len(outcomes)
