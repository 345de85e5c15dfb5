"""Carries runs on, one transition at a time: the only code that sends an effect, and never the same one twice.

PostgreSQL is the truth. A worker may die anywhere: the intent of an effect is committed before it is sent, the moment
of sending is committed right before the bytes leave, and a run found with a sent effect and no outcome looks at the
outside before anything else (DESIGN.md, section 5).
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from novaops.access.policy import can
from novaops.cloud.errors import Ambiguous, Fenced, NotSent, OutsideError, Refused
from novaops.runbook import approvals, freezes, leases, objections, planning, transitions
from novaops.runbook.action import AnyStep, Context, Effect, Progress, Repeat, Verdict, Verify, Wait, sendable
from novaops.runbook.leases import Lease
from novaops.runbook.models import Call, Plan, Run, Step
from novaops.runbook.records import announce, record
from novaops.runbook.registry import actions
from novaops.runbook.states import CallOutcome, RunStatus, StepState
from novaops.runbook.transitions import OVER, After

logger = logging.getLogger(__name__)

# How often a run asks whether its environment is still frozen.
FROZEN_S = 5.0
MOST_FAILURES = 5
MOST_ATTEMPTS = 6
# How long to look for a converging or named effect before it is sent again: reads may lag behind writes.
SETTLE_S = 5
MOST_PREPARATION_S = 60


class UnknownStep(Exception):
    """The run was planned by another version of the code, whose steps this one does not know."""


def advance(run_id: int) -> After:
    """Make one transition of the run if it is due and free; the seconds until the next, None where there is none."""
    lease = leases.claim(run_id)
    if lease is None:
        return OVER
    run = Run.objects.select_related("plan", "requested_by").get(pk=run_id)
    try:
        after_s = _transition(run, lease)
        if after_s is not None:
            lease.release(after_s=after_s)
    except (leases.Lost, Fenced):
        logger.warning("Run %s: the lease was lost, another worker carries on", run_id)
        return OVER
    except Exception as failure:
        logger.exception("Run %s: a transition broke", run_id)
        return _survive(run, lease, failure)
    return after_s


def _transition(run: Run, lease: Lease) -> After:
    if run.status == RunStatus.QUEUED:
        return _begin(run, lease)
    step = run.steps.get(position=run.cursor)
    declared = _declared(run, step)
    ctx = planning.run_context(run)
    if isinstance(declared, Effect):
        return _effect(run, lease, step, declared, ctx)
    return _wait(run, lease, step, declared, ctx)


def _declared(run: Run, step: Step) -> AnyStep:
    action = actions.get(run.action)
    steps = list(action().steps(planning.context(run.plan))) if action else []
    if step.position >= len(steps) or steps[step.position].key != step.key:
        raise UnknownStep(f"this version does not know step {step.key} of {run.action}")
    return steps[step.position]


# The start: everything is checked once more, right before the first effect.


def _begin(run: Run, lease: Lease) -> After:
    if run.cancel_requested:
        return transitions.finish(run, lease, RunStatus.CANCELED, "Canceled before it began. Nothing happened.")
    if freezes.standing(run.environment):
        return FROZEN_S
    planning.resolve(run.plan)
    try:
        objection = _objection(run)
    except OutsideError as failure:
        return _retry_preparation(run, lease, failure)
    if objection:
        return transitions.finish(run, lease, RunStatus.FAILED, f"{objection} Nothing happened.")
    with transaction.atomic(durable=True):
        lease.extend()
        Step.objects.bulk_create(
            Step(run=run, position=position, key=step["key"], title=step["title"], kind=step["kind"])
            for position, step in enumerate(run.plan.steps)
        )
        transitions.move(run, lease, RunStatus.RUNNING, started_at=lease.now())
        announce(run)
        record(run, "run.started", detail={"digest": run.plan.digest})
    return transitions.NOW_S


def _objection(run: Run) -> str:
    """Why the run must not begin; empty where nothing stands against it. Raises an OutsideError."""
    plan, action = run.plan, actions[run.action]()
    if plan.state == Plan.State.FAILED:
        return plan.sentence
    environment = planning.context(plan).environment
    user = User.objects.get(pk=run.requested_by.pk)
    verdict = can(user, action.risk.verb, environment)
    if not verdict:
        return f"{user.get_username()} may not do this any more: {verdict.sentence}"
    if objected := objections.to(environment, run.incident):
        return objected
    unapproved = approvals.objection(run) if approvals.needed(action, environment) else ""
    if unapproved:
        return unapproved
    now = planning.look(action, plan)
    steps = [planning.described(step) for step in action.steps(now)]
    if planning.digest(plan, now.facts, steps) != plan.digest:
        approvals.void(run)
        return f"{run.target} changed since the preview ({_drift(plan.facts, now.facts)}): preview again."
    return " ".join(check.sentence for check in action.prechecks(now) if check.state == "failed")


def _drift(planned: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    before, after = planning.lasting(planned), planning.lasting(found)
    changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    return ", ".join(f"{key}: {before.get(key)} -> {after.get(key)}" for key in changed)


def _retry_preparation(run: Run, lease: Lease, failure: OutsideError) -> After:
    waited_s = (lease.now() - run.queued_at).total_seconds()
    if isinstance(failure, Refused) or waited_s > MOST_PREPARATION_S:
        return transitions.finish(run, lease, RunStatus.FAILED, f"{failure}. Nothing happened.")
    return transitions.LOOK_AGAIN_S


# An effect: intent, call, outcome, each committed by itself.


def _effect(run: Run, lease: Lease, step: Step, effect: Effect, ctx: Context) -> After:
    call = step.calls.filter(outcome=CallOutcome.OPEN).first()
    if call is None:
        return _send(run, lease, step, effect, ctx)
    if call.signed_at is None:
        return _close(lease, call, CallOutcome.NOT_SENT, "The worker ended before anything was sent")
    return _look_for(run, lease, step, call, effect, ctx)


def _send(run: Run, lease: Lease, step: Step, effect: Effect, ctx: Context) -> After:
    if run.cancel_requested:
        return transitions.cancel(run, lease)
    frozen = freezes.standing(run.environment)
    if frozen:
        Step.objects.filter(pk=step.pk).update(sentence=f"Frozen by {frozen.frozen_by}: {frozen.reason}")
        return FROZEN_S
    attempt = step.calls.count() + 1
    if attempt > MOST_ATTEMPTS:
        return transitions.fail(
            run, lease, step, f"{effect.title}: given up after {MOST_ATTEMPTS} attempts: {_last_word(step)}"
        )
    try:
        before = effect.before(ctx)
    except OutsideError as failure:
        return transitions.fail_or_retry(run, lease, step, failure)
    params = sendable(effect.params, ctx)
    call = _intend(run, lease, step, effect, params, before, attempt)
    try:
        answer = effect.call(ctx.environment, params, fence=lambda: lease.sign(call), run_id=run.pk)
    except Refused as failure:
        return _refused(run, lease, step, call, effect, ctx, failure)
    except NotSent as failure:
        return _close(lease, call, CallOutcome.NOT_SENT, str(failure), after_s=min(2.0**attempt, 30))
    except Ambiguous as failure:
        Call.objects.filter(pk=call.pk).update(sentence=str(failure), request_id=failure.request_id)
        return 1.0
    request_id = answer.get("ResponseMetadata", {}).get("RequestId", "")
    return _happened(run, lease, step, call, CallOutcome.OK, "Accepted", effect.result(answer), request_id)


def _last_word(step: Step) -> str:
    last = step.calls.last()
    return last.sentence if last else ""


def _intend(
    run: Run, lease: Lease, step: Step, effect: Effect, params: dict[str, Any], before: dict[str, Any], attempt: int
) -> Call:
    """Commit the intent and its audit entry; only then may the call be made."""
    with transaction.atomic(durable=True):
        lease.extend()
        now = lease.now()
        call = Call.objects.create(
            step=step,
            attempt=attempt,
            operation=effect.call.name,
            command_line=effect.call.command_line(params),
            before=before,
            lease_token=lease.token,
            intent_at=now,
        )
        transitions.begin_step(step, now)
        announce(run)
        record(run, "effect.intended", detail={**transitions.named(call), "params": params, "before": before})
    return call


def _refused(run: Run, lease: Lease, step: Step, call: Call, effect: Effect, ctx: Context, failure: Refused) -> After:
    # A named effect that may have happened is refused as existing already: that is how its success looks.
    if effect.repeat is Repeat.NAMED and transitions.doubt(run):
        return _look_for(run, lease, step, call, effect, ctx)
    with transaction.atomic(durable=True):
        transitions.settle(lease, call, CallOutcome.REJECTED, str(failure), failure.request_id)
        return transitions.fail(run, lease, step, f"{failure}. Nothing happened.", effect_call=call)


def _close(
    lease: Lease, call: Call, outcome: CallOutcome, sentence: str, *, after_s: float = transitions.NOW_S
) -> float:
    """Close an attempt that may be made again."""
    with transaction.atomic(durable=True):
        transitions.settle(lease, call, outcome, sentence)
        record(call.step.run, f"effect.{outcome.value.replace('_', '-')}", detail=transitions.named(call))
    return after_s


def _look_for(run: Run, lease: Lease, step: Step, call: Call, effect: Effect, ctx: Context) -> After:
    """An effect was sent and nobody knows what came of it: look, and send it again only where that is harmless."""
    sent_s = (lease.now() - (call.signed_at or call.intent_at)).total_seconds()
    # A deadline on an effect says that somebody asked to look once more (requests.check), and to send nothing.
    only_asked = step.deadline_at is not None
    try:
        seen = effect.observe(ctx, call.before)
    except OutsideError as failure:
        seen, sentence = None, str(failure)
    else:
        sentence = f"{call.operation} was sent and its answer was lost; nothing of it is seen yet"
        if seen is None and not only_asked and effect.repeat is not Repeat.ONCE and sent_s > SETTLE_S:
            return _close(lease, call, CallOutcome.NOT_SEEN, "Nothing of it is seen: safe to send again")
    if seen:
        return _happened(run, lease, step, call, CallOutcome.OBSERVED, seen.sentence, seen.result)
    if only_asked or sent_s > effect.observe_for_s:
        return transitions.give_up(run, lease, call)
    Step.objects.filter(pk=step.pk).update(sentence=sentence)
    return ctx.environment.poll_every_s


def _happened(
    run: Run,
    lease: Lease,
    step: Step,
    call: Call,
    outcome: CallOutcome,
    sentence: str,
    result: Any,
    request_id: str = "",
) -> After:
    with transaction.atomic(durable=True):
        transitions.settle(lease, call, outcome, sentence, request_id)
        detail = {**transitions.named(call), "sentence": sentence, "result": result, "request_id": request_id}
        record(run, f"effect.{outcome.value}", detail=detail)
        return transitions.step_done(run, lease, step, sentence, {**result, "before": call.before})


# Waits and verifications: they only look.


def _wait(run: Run, lease: Lease, step: Step, wait: Wait, ctx: Context) -> After:
    if run.cancel_requested:
        return transitions.cancel(run, lease)
    if step.state == StepState.PENDING:
        _begin_wait(run, lease, step, wait)
    try:
        progress = wait.look(ctx)
    except OutsideError as failure:
        return transitions.fail_or_retry(run, lease, step, failure)
    if progress.verdict is Verdict.DONE:
        return _wait_done(run, lease, step, progress.sentence, progress.result)
    if progress.verdict is Verdict.FAILED:
        return transitions.fail(run, lease, step, progress.sentence)
    if step.deadline_at and lease.now() > step.deadline_at:
        return transitions.fail(run, lease, step, f"Not done after {wait.timeout_s:.0f} s: {progress.sentence}")
    _show_progress(run, lease, step, progress)
    return ctx.environment.poll_every_s


def _begin_wait(run: Run, lease: Lease, step: Step, wait: Wait) -> None:
    with transaction.atomic(durable=True):
        status = RunStatus.VERIFYING if isinstance(wait, Verify) else RunStatus.RUNNING
        if run.status != status:
            transitions.move(run, lease, status)
        transitions.begin_step(step, lease.now(), timeout_s=wait.timeout_s)
        announce(run)


def _show_progress(run: Run, lease: Lease, step: Step, progress: Progress) -> None:
    """Keep what the look saw, and its result, from which the next look goes on."""
    result = progress.result or step.result
    if (step.sentence, step.progress_percent, step.result) == (progress.sentence, progress.percent, result):
        return
    with transaction.atomic(durable=True):
        lease.extend()
        Step.objects.filter(pk=step.pk).update(
            sentence=progress.sentence, progress_percent=progress.percent, result=result
        )
        announce(run)


def _wait_done(run: Run, lease: Lease, step: Step, sentence: str, result: dict[str, Any]) -> After:
    with transaction.atomic(durable=True):
        return transitions.step_done(run, lease, step, sentence, result)


def _survive(run: Run, lease: Lease, failure: Exception) -> After:
    """A transition raised what nobody foresaw: try again a few times, then stop without guessing."""
    run.refresh_from_db()
    sentence = f"NovaOps itself failed at this step ({type(failure).__name__}); the log has the details."
    sent = Call.objects.filter(step__run=run, outcome=CallOutcome.OPEN, signed_at__isnull=False).first()
    try:
        if run.failures + 1 < MOST_FAILURES:
            lease.write(failures=run.failures + 1)
            after_s = 2.0 ** (run.failures + 1)
            lease.release(after_s=after_s)
            return after_s
        if sent:
            return transitions.give_up(run, lease, sent)
        return transitions.finish(run, lease, RunStatus.FAILED, sentence)
    except leases.Lost:
        logger.warning("Run %s: the lease was lost after a failure", run.pk)
    return OVER
