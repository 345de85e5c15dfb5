"""Asking for a run, calling it off, and deciding what an unknown outcome was: what people may do to runs."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import partial

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from novaops import __version__
from novaops import environment as environments
from novaops.access.policy import Verb, can
from novaops.environment import Environment
from novaops.runbook import approvals, doorbell, freezes, objections, signals, undo
from novaops.runbook.action import Action
from novaops.runbook.models import Plan, Run
from novaops.runbook.planning import run_context
from novaops.runbook.records import announce, record
from novaops.runbook.registry import actions
from novaops.runbook.states import ACTIVE, FINISHED, CallOutcome, RunStatus, StepState, check_transition

REASON_LENGTH = 500


class NotStarted(Exception):
    """No run was started; the message says why and that nothing happened. `code` is stable for machines."""

    def __init__(self, code: str, sentence: str, *, run: Run | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.run = run


def request(
    plan: Plan,
    *,
    by: User,
    reason: str,
    idempotency_key: str,
    via: str = "page",
    incident: int | None = None,
    break_glass: bool = False,
) -> Run:
    """Start a run of the plan, or answer with the run that this key started before.

    A destructive run waits for a second person where its environment asks for one, unless a commander breaks the
    glass in an open SEV1. Raises NotStarted where the policy, the plan, the cool-down or another run on the target
    stands against it.
    """
    earlier = Run.objects.filter(idempotency_key=idempotency_key).first()
    if earlier:
        return _same_request(earlier, plan, reason)
    action = _action_of(plan)
    environment = _environment_of(plan)
    _refuse_unless_startable(plan, action, environment, by, reason)
    _refuse_where_objected(environment, incident if incident is not None else plan.incident)
    _refuse_unless_approvable(plan, action, environment, by, reason, break_glass=break_glass)
    try:
        with transaction.atomic():
            run = _made(plan, action, by, reason, idempotency_key, via, incident)
            return _started(run, waits=approvals.needed(action, environment) and not break_glass, glass=break_glass)
    except IntegrityError as failure:
        return _who_was_first(plan, reason, idempotency_key, failure)


def _same_request(run: Run, plan: Plan, reason: str) -> Run:
    if run.request_hash != _request_hash(plan, reason):
        raise NotStarted("key-reused", "This idempotency key was used for another request. Nothing happened.", run=run)
    return run


def _action_of(plan: Plan) -> Action:
    if plan.action not in actions:
        raise NotStarted("unknown-action", f"There is no action {plan.action}. Nothing happened.")
    return actions[plan.action]()


def _environment_of(plan: Plan) -> Environment:
    environment = environments.get(plan.environment)
    if environment is None:
        raise NotStarted("unknown-environment", f"{plan.environment} is not declared any more. Nothing happened.")
    return environment


def _refuse_unless_startable(plan: Plan, action: Action, environment: Environment, by: User, reason: str) -> None:
    verdict = can(by, action.risk.verb, environment)
    if not verdict:
        raise NotStarted("not-permitted", verdict.sentence)
    if not reason.strip():
        raise NotStarted("no-reason", "Say in a few words why: the reason is part of the audit. Nothing happened.")
    if plan.state == Plan.State.FAILED:
        raise NotStarted("plan-failed", plan.sentence)
    if plan.refusals:
        raise NotStarted("precheck-failed", " ".join(plan.refusals) + " Nothing happened.")
    frozen = freezes.standing(environment.name)
    if frozen:
        sentence = f"{environment.title} is frozen by {frozen.frozen_by}: {frozen.reason} Nothing happened."
        raise NotStarted("frozen", sentence)
    _refuse_while_cooling(plan, action)


def _refuse_where_objected(environment: Environment, incident: int | None) -> None:
    if sentence := objections.to(environment, incident):
        raise NotStarted("objected", f"{sentence} Nothing happened.")


def _refuse_unless_approvable(
    plan: Plan, action: Action, environment: Environment, by: User, reason: str, *, break_glass: bool
) -> None:
    if not approvals.needed(action, environment):
        return
    if plan.state != Plan.State.READY:
        raise NotStarted("plan-not-ready", "A second person approves a plan that is resolved: wait for it.")
    objection = approvals.may_break_glass(by, environment, reason) if break_glass else ""
    if objection:
        raise NotStarted("glass-not-broken", objection)


def _refuse_while_cooling(plan: Plan, action: Action) -> None:
    since = datetime.now(UTC) - timedelta(seconds=action.cool_down_s)
    last = Run.objects.filter(
        environment=plan.environment, target=plan.target, action=plan.action, finished_at__gt=since
    ).first()
    if last and last.finished_at and last.status in (RunStatus.SUCCEEDED, RunStatus.FAILED):
        left_s = (last.finished_at - since).total_seconds()
        sentence = f"{action.title} ran on {plan.target} moments ago: wait {left_s:.0f} s. Nothing happened."
        raise NotStarted("cooling-down", sentence, run=last)


def _made(plan: Plan, action: Action, by: User, reason: str, key: str, via: str, incident: int | None) -> Run:
    return Run.objects.create(
        plan=plan,
        action=action.key,
        title=action.title,
        environment=plan.environment,
        service=plan.service,
        target=plan.target,
        params=plan.params,
        risk=action.risk.value,
        reason=reason.strip()[:REASON_LENGTH],
        incident=incident if incident is not None else plan.incident,
        idempotency_key=key,
        request_hash=_request_hash(plan, reason),
        requested_by=by,
        via=via,
        next_at=Now() - timedelta(seconds=1),
        code_version=__version__,
    )


def _started(run: Run, *, waits: bool, glass: bool) -> Run:
    """In the request's transaction: let the run begin, or let it wait for a second person."""
    run.status = RunStatus.AWAITING_APPROVAL if waits else RunStatus.QUEUED
    run.broken_glass = glass
    run.save(update_fields=["status", "broken_glass"])
    if waits:
        approvals.ask(run)
    announce(run)
    transaction.on_commit(partial(doorbell.ring, run.pk))
    detail = {"params": run.params, "digest": run.plan.digest, "needs_approval": waits}
    record(run, "run.requested-breaking-glass" if glass else "run.requested", by=run.requested_by, detail=detail)
    return run


def _who_was_first(plan: Plan, reason: str, key: str, failure: IntegrityError) -> Run:
    """A concurrent request won one of the unique constraints: ours is the same, or stands behind it."""
    same = Run.objects.filter(idempotency_key=key).first()
    if same:
        return _same_request(same, plan, reason)
    used = Run.objects.filter(plan=plan).first()
    if used:
        raise NotStarted("plan-used", f"This plan was run already, as run {used.pk}. Preview again.", run=used)
    busy = Run.objects.filter(environment=plan.environment, target=plan.target, status__in=ACTIVE).first()
    if busy is None:
        raise failure
    sentence = f"{busy.title} by {busy.requested_by} is on {plan.target} already (run {busy.pk}). Nothing happened."
    raise NotStarted("target-busy", sentence, run=busy)


def _request_hash(plan: Plan, reason: str) -> str:
    body = [plan.action, plan.environment, plan.target, plan.params, reason.strip()]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def cancel(run: Run, *, by: User, via: str = "page") -> None:
    """Ask that no further step is begun. What was sent is not undone. Raises NotStarted where that is too late."""
    action = actions.get(run.action)
    verdict = can(by, action.risk.verb if action else Verb.COMMAND, environments.get(run.environment))
    if not verdict:
        raise NotStarted("not-permitted", verdict.sentence)
    with transaction.atomic():
        row = Run.objects.select_for_update().get(pk=run.pk)
        if row.status in (*FINISHED, RunStatus.UNKNOWN):
            raise NotStarted("too-late", f"Run {run.pk} is over: nothing is left to cancel.", run=row)
        if row.status == RunStatus.AWAITING_APPROVAL:
            approvals.withdraw(row)
        row.cancel_requested = True
        row.save(update_fields=["cancel_requested"])
        announce(row)
        transaction.on_commit(partial(doorbell.ring, run.pk))
        record(row, "run.cancel-requested", by=by, via=via)


def check(run: Run, *, by: User) -> None:
    """Let a worker look once more for an effect whose outcome is unknown; it sends nothing. Raises NotStarted."""
    _refuse_unless_commander(run, by)
    with transaction.atomic():
        row = _unknown(run)
        check_transition(row.status, RunStatus.RUNNING)
        step = row.steps.get(position=row.cursor)
        step.calls.filter(outcome=CallOutcome.UNKNOWN).update(outcome=CallOutcome.OPEN)
        row.steps.filter(pk=step.pk).update(state=StepState.RUNNING, finished_at=None, deadline_at=datetime.now(UTC))
        row.status, row.finished_at, row.next_at = RunStatus.RUNNING, None, Now() - timedelta(seconds=1)
        row.save(update_fields=["status", "finished_at", "next_at"])
        announce(row)
        transaction.on_commit(partial(doorbell.ring, row.pk))
        record(row, "run.checked", by=by)


def decide(run: Run, *, happened: bool, by: User, reason: str) -> None:
    """A commander says what an unknown outcome was, and with that frees the target. Raises NotStarted."""
    _refuse_unless_commander(run, by)
    if not reason.strip():
        raise NotStarted("no-reason", "Say what you saw: it is part of the audit. Nothing changed.")
    with transaction.atomic():
        row = _unknown(run)
        _settle_unknown(row, happened=happened, sentence=f"{by.get_username()}: {reason.strip()}")
        record(row, "run.marked-done" if happened else "run.marked-failed", by=by, reason=reason.strip())


def _refuse_unless_commander(run: Run, by: User) -> None:
    verdict = can(by, Verb.COMMAND, environments.get(run.environment))
    if not verdict:
        raise NotStarted("not-permitted", verdict.sentence)


def _unknown(run: Run) -> Run:
    """The run's row, locked. Raises NotStarted where its outcome is not unknown."""
    row = Run.objects.select_for_update().get(pk=run.pk)
    if row.status != RunStatus.UNKNOWN:
        raise NotStarted("too-late", f"Run {run.pk} is not waiting for a decision.", run=row)
    return row


def _settle_unknown(run: Run, *, happened: bool, sentence: str) -> None:
    after = RunStatus.SUCCEEDED if happened else RunStatus.FAILED
    check_transition(run.status, after)
    state = StepState.DONE if happened else StepState.FAILED
    step = run.steps.get(position=run.cursor)
    now = datetime.now(UTC)
    if happened:
        step.calls.filter(outcome=CallOutcome.UNKNOWN).update(outcome=CallOutcome.OBSERVED, outcome_at=now)
    run.steps.filter(pk=step.pk).update(state=state, sentence=sentence, finished_at=now)
    run.steps.filter(state=StepState.PENDING).update(state=StepState.SKIPPED)
    run.status, run.outcome, run.finished_at = after, sentence, now
    run.save(update_fields=["status", "outcome", "finished_at"])
    if happened and run.action in actions:
        undo.remember(run, actions[run.action](), run_context(run))
    announce(run)
    signals.run_finished.send(Run, run=run)
