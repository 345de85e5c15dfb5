"""What every transition of a run ends in: a step begun or ended, the next one, or the end of the run.

Each function writes under the lease, tells pages and other apps, and records; all inside the caller's transaction.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from novaops.cloud.errors import OutsideError, Refused
from novaops.runbook import planning, signals, undo
from novaops.runbook.leases import Lease
from novaops.runbook.models import Call, Run, Step
from novaops.runbook.records import announce, record
from novaops.runbook.registry import actions
from novaops.runbook.states import CallOutcome, RunStatus, StepState, check_transition

# In how many seconds a run is due again; OVER where no worker has anything left to do.
After = float | None
NOW_S = 0.0
OVER: After = None
LOOK_AGAIN_S = 2.0
PREPARE_S = 60


def step_done(run: Run, lease: Lease, step: Step, sentence: str, result: dict[str, Any]) -> After:
    end_step(step, StepState.DONE, sentence, result=result, progress_percent=100)
    run.cursor = step.position + 1
    lease.write(cursor=run.cursor, failures=0)
    if run.cursor == len(run.plan.steps):
        undo.remember(run, actions[run.action](), planning.run_context(run))
        return finish(run, lease, RunStatus.SUCCEEDED, sentence)
    announce(run)
    return NOW_S


def begin_step(step: Step, now: datetime, *, timeout_s: float | None = None) -> None:
    deadline_at = now + timedelta(seconds=timeout_s) if timeout_s else None
    step.state, step.started_at, step.deadline_at = StepState.RUNNING, step.started_at or now, deadline_at
    step.save(update_fields=["state", "started_at", "deadline_at"])


def end_step(step: Step, state: StepState, sentence: str, **fields: Any) -> None:
    Step.objects.filter(pk=step.pk).update(state=state, sentence=sentence, finished_at=Now(), **fields)


def fail(run: Run, lease: Lease, step: Step, sentence: str, *, effect_call: Call | None = None) -> After:
    with transaction.atomic():
        end_step(step, StepState.FAILED, sentence)
        return finish(run, lease, RunStatus.FAILED, sentence, detail=named(effect_call) if effect_call else None)


def fail_or_retry(run: Run, lease: Lease, step: Step, failure: OutsideError) -> After:
    """Looking failed: that proves nothing about Nova, so look again until the step's deadline."""
    began_at = step.started_at or run.started_at or run.created_at
    deadline_at = step.deadline_at or began_at + timedelta(seconds=PREPARE_S)
    if isinstance(failure, Refused) or lease.now() > deadline_at:
        return fail(run, lease, step, str(failure))
    Step.objects.filter(pk=step.pk).update(sentence=f"{failure}; looking again")
    return LOOK_AGAIN_S


def cancel(run: Run, lease: Lease) -> After:
    done = run.steps.filter(state=StepState.DONE).count()
    sentence = f"Canceled after {done} of {run.steps.count()} steps; what was done is not undone."
    return finish(run, lease, RunStatus.CANCELED, sentence)


def doubt(run: Run) -> Call | None:
    """An attempt at the run's current effect that was sent and never seen: it may have happened for all that."""
    return Call.objects.filter(step__run=run, step__position=run.cursor, outcome=CallOutcome.NOT_SEEN).last()


def give_up(run: Run, lease: Lease, call: Call) -> After:
    """End as unknown: the call was sent, and nobody knows what came of it."""
    sentence = (
        f"{call.operation} was sent at {call.signed_at:%H:%M:%S} UTC and no answer came. It may or may not "
        f"have happened: look at {run.target} in AWS, then mark it here."
    )
    with transaction.atomic():
        settle(lease, call, CallOutcome.UNKNOWN, sentence)
        end_step(call.step, StepState.UNKNOWN, sentence)
        return finish(run, lease, RunStatus.UNKNOWN, sentence, detail=named(call))


def settle(lease: Lease, call: Call, outcome: CallOutcome, sentence: str, request_id: str = "") -> None:
    """Write what became of an attempt. Raises Lost."""
    lease.extend()
    call.outcome, call.sentence, call.outcome_at = outcome, sentence, lease.now()
    call.request_id = request_id or call.request_id
    call.save(update_fields=["outcome", "sentence", "outcome_at", "request_id"])


def finish(run: Run, lease: Lease, status: RunStatus, sentence: str, *, detail: dict[str, Any] | None = None) -> After:
    """End the run. One that is in doubt cannot have failed or been canceled: it ends as unknown."""
    in_doubt = doubt(run) if status in (RunStatus.FAILED, RunStatus.CANCELED) else None
    if in_doubt:
        return give_up(run, lease, in_doubt)
    with transaction.atomic():
        move(run, lease, status, outcome=sentence, finished_at=lease.now(), lease_until=None, lease_owner="")
        if status != RunStatus.SUCCEEDED and run.action in actions and not run.plan.undoes_id:
            undo.remember_half(run, actions[run.action](), planning.run_context(run))
        if status != RunStatus.UNKNOWN:
            run.steps.filter(state__in=[StepState.PENDING, StepState.RUNNING]).update(state=StepState.SKIPPED)
        announce(run)
        signals.run_finished.send(Run, run=run)
        record(run, f"run.{status.value}", detail={"outcome": sentence, **(detail or {})})
    return OVER


def move(run: Run, lease: Lease, status: RunStatus, **fields: Any) -> None:
    check_transition(run.status, status)
    lease.write(status=status, **fields)
    for name, value in {"status": status, **fields}.items():
        setattr(run, name, value)


def named(call: Call) -> dict[str, Any]:
    return {"operation": call.operation, "attempt": call.attempt, "step": call.step.key}
