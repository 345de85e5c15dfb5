"""Asking for a run, calling it off, and deciding what an unknown outcome was: what people may do to runs."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from novaops import __version__, live
from novaops import environment as environments
from novaops.access.policy import Verb, can
from novaops.audit import chain
from novaops.runbook import doorbell, signals
from novaops.runbook.action import Action
from novaops.runbook.models import Plan, Run
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
    plan: Plan, *, by: User, reason: str, idempotency_key: str, via: str = "page", incident: int | None = None
) -> Run:
    """Start a run of the plan, or answer with the run that this key started before.

    Raises NotStarted where the policy, the plan, the cool-down or another run on the target stands against it.
    """
    earlier = Run.objects.filter(idempotency_key=idempotency_key).first()
    if earlier:
        return _same_request(earlier, plan, reason)
    action = _action_of(plan)
    _refuse_unless_startable(plan, action, by, reason)
    try:
        with transaction.atomic():
            return _start(plan, action, by, reason, idempotency_key, via, incident)
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


def _refuse_unless_startable(plan: Plan, action: Action, by: User, reason: str) -> None:
    environment = environments.get(plan.environment)
    verdict = can(by, action.risk.verb, environment)
    if not verdict:
        raise NotStarted("not-permitted", verdict.sentence)
    if not reason.strip():
        raise NotStarted("no-reason", "Say in a few words why: the reason is part of the audit. Nothing happened.")
    if plan.state == Plan.State.FAILED:
        raise NotStarted("plan-failed", plan.sentence)
    if plan.refusals:
        raise NotStarted("precheck-failed", " ".join(plan.refusals) + " Nothing happened.")
    _refuse_while_cooling(plan, action)


def _refuse_while_cooling(plan: Plan, action: Action) -> None:
    since = datetime.now(UTC) - timedelta(seconds=action.cool_down_s)
    last = Run.objects.filter(
        environment=plan.environment, target=plan.target, action=plan.action, finished_at__gt=since
    ).first()
    if last and last.finished_at and last.status in (RunStatus.SUCCEEDED, RunStatus.FAILED):
        left_s = (last.finished_at - since).total_seconds()
        sentence = f"{action.title} ran on {plan.target} moments ago: wait {left_s:.0f} s. Nothing happened."
        raise NotStarted("cooling-down", sentence, run=last)


def _start(plan: Plan, action: Action, by: User, reason: str, key: str, via: str, incident: int | None) -> Run:
    run = Run.objects.create(
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
        next_at=datetime.now(UTC) - timedelta(seconds=1),
        code_version=__version__,
    )
    announce(run)
    transaction.on_commit(partial(doorbell.ring, run.pk))
    record(run, "run.requested", by=by, detail={"params": run.params, "digest": plan.digest})
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


def cancel(run: Run, *, by: User) -> None:
    """Ask that no further step is begun. What was sent is not undone. Raises NotStarted where that is too late."""
    action = actions.get(run.action)
    verdict = can(by, action.risk.verb if action else Verb.COMMAND, environments.get(run.environment))
    if not verdict:
        raise NotStarted("not-permitted", verdict.sentence)
    with transaction.atomic():
        row = Run.objects.select_for_update().get(pk=run.pk)
        if row.status in (*FINISHED, RunStatus.UNKNOWN):
            raise NotStarted("too-late", f"Run {run.pk} is over: nothing is left to cancel.", run=row)
        Run.objects.filter(pk=run.pk).update(cancel_requested=True)
        announce(row)
        transaction.on_commit(partial(doorbell.ring, run.pk))
        record(row, "run.cancel-requested", by=by)


def check(run: Run, *, by: User) -> None:
    """Let a worker look once more for an effect whose outcome is unknown; it sends nothing. Raises NotStarted."""
    _refuse_unless_commander(run, by)
    with transaction.atomic():
        row = _unknown(run)
        check_transition(row.status, RunStatus.RUNNING)
        step = row.steps.get(position=row.cursor)
        step.calls.filter(outcome=CallOutcome.UNKNOWN).update(outcome=CallOutcome.OPEN)
        row.steps.filter(pk=step.pk).update(state=StepState.RUNNING, finished_at=None)
        row.status, row.finished_at, row.next_at = RunStatus.RUNNING, None, datetime.now(UTC) - timedelta(seconds=1)
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
    announce(run)
    signals.run_finished.send(Run, run=run)


def announce(run: Run) -> None:
    """Tell open pages and other apps that the run moved on."""
    for topic in (f"run:{run.pk}", "runs", f"overview:{run.environment}"):
        live.publish(topic)
    signals.run_changed.send(Run, run=run)


def record(
    run: Run, verb: str, *, by: User | None = None, reason: str = "", detail: dict[str, Any] | None = None
) -> None:
    """Write an audit entry about the run; by None for the engine itself."""
    chain.record(
        verb,
        by=by,
        subject=run.subject,
        environment=run.environment,
        via=run.via if by else "engine",
        reason=reason or (run.reason if by else ""),
        incident=run.incident,
        run=run.pk,
        detail=detail,
    )
