"""The undo ledger: what runs changed and nobody put back yet."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from novaops import environment as environments
from novaops import live
from novaops.access.policy import can
from novaops.runbook.action import Action, Context
from novaops.runbook.models import Call, Run, Undo
from novaops.runbook.records import record
from novaops.runbook.registry import actions
from novaops.runbook.states import CallOutcome


class Refused(Exception):
    """The ledger stays as it is; the message says why."""


def standing(environment: str) -> QuerySet[Undo]:
    """What could still be put back, newest first."""
    open_ones = Undo.objects.filter(environment=environment, state=Undo.State.OPEN, expires_at__gt=datetime.now(UTC))
    return open_ones.select_related("run")


def of_run(run: Run) -> Undo | None:
    """What would put this run's change back, while that still means something."""
    return standing(run.environment).filter(run=run).first()


def of_incident(*numbers: int) -> QuerySet[Undo]:
    """What runs of these incidents changed and nobody put back yet, newest first."""
    open_ones = Undo.objects.filter(run__incident__in=numbers, state=Undo.State.OPEN, expires_at__gt=datetime.now(UTC))
    return open_ones.select_related("run")


def remember(run: Run, action: Action, ctx: Context) -> None:
    """Enter what puts the succeeded run back, and settle the entry that the run itself put back."""
    if run.plan.undoes_id:
        _settle(Undo.objects.filter(pk=run.plan.undoes_id), Undo.State.DONE, run.requested_by)
        return
    inverse = action.inverse(ctx)
    if inverse is None:
        return
    # A newer change of the same thing replaces the older way back: only one state is the one before.
    Undo.objects.get_or_create(
        run=run,
        defaults={
            "environment": run.environment,
            "action": inverse.action,
            "target": run.target,
            "params": inverse.params,
            "sentence": inverse.sentence,
            "expires_at": datetime.now(UTC) + timedelta(seconds=inverse.worth_s),
        },
    )


def remember_half(run: Run, action: Action, ctx: Context) -> None:
    """Enter what puts back a run that ended halfway: one effect of it happened, or may have."""
    happened = (CallOutcome.OK, CallOutcome.OBSERVED, CallOutcome.UNKNOWN)
    if action.undoes_halves and Call.objects.filter(step__run=run, outcome__in=happened).exists():
        remember(run, action, ctx)


def dismiss(entry: Undo, *, by: User) -> None:
    """Say that the change is meant to stay. Raises Refused."""
    action = actions.get(entry.action)
    if action is None:
        raise Refused(f"There is no action {entry.action} any more.")
    verdict = can(by, action.risk.verb, environments.get(entry.environment))
    if not verdict:
        raise Refused(verdict.sentence)
    with transaction.atomic():
        if not _settle(Undo.objects.filter(pk=entry.pk, state=Undo.State.OPEN), Undo.State.DISMISSED, by):
            raise Refused("This was settled already.")
        live.publish(f"overview:{entry.environment}")
        record(entry.run, "undo.dismissed", by=by, detail={"sentence": entry.sentence})


def _settle(entries: QuerySet[Undo], state: Undo.State, by: User) -> int:
    return entries.update(state=state, settled_by=by, settled_at=datetime.now(UTC))
