"""Two people for what destroys: one asks, another consents to exactly that plan, within fifteen minutes, once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from novaops import environment as environments
from novaops.access.policy import Verb, can
from novaops.environment import Environment
from novaops.runbook import doorbell
from novaops.runbook.action import Action, Risk
from novaops.runbook.models import Approval, Run
from novaops.runbook.records import announce, record
from novaops.runbook.states import RunStatus, check_transition

# SECURITY.md, section 5.
VALID_S = 15 * 60
BROKEN_GLASS_REASON = 30

# Asked for the number of an open SEV1 incident of an environment; the incidents app adds itself.
open_sev1: list[Callable[[Environment], int | None]] = []


class Refused(Exception):
    """Nothing was decided; the message says why."""


def needed(action: Action, environment: Environment) -> bool:
    """Whether a run of the action there needs a second person."""
    return environment.needs_approval and action.risk is Risk.DESTRUCTIVE


def ask(run: Run) -> Approval:
    """The pending approval of a run that was just requested; in the request's transaction."""
    return Approval.objects.create(
        run=run,
        digest=run.plan.digest,
        requested_by=run.requested_by,
        expires_at=datetime.now(UTC) + timedelta(seconds=VALID_S),
    )


def approve(approval: Approval, *, by: User) -> None:
    """Consent: the run may begin. Raises Refused. Whoever calls this has seen the approver step up."""
    with transaction.atomic():
        row = _pending(approval, by)
        _decide(row, Approval.State.APPROVED, by)
        _queue(row.run)
        transaction.on_commit(partial(doorbell.ring, row.run.pk))
        record(row.run, "approval.given", by=by, detail={"digest": row.digest})


def refuse(approval: Approval, *, by: User, reason: str) -> None:
    """Decline with a reason: the run is over, nothing happened. Raises Refused."""
    if not reason.strip():
        raise Refused("Say why: whoever asked will read it. Nothing was decided.")
    with transaction.atomic():
        row = _pending(approval, by)
        _decide(row, Approval.State.REFUSED, by, reason.strip())
        _end(row.run, RunStatus.CANCELED, f"Refused by {by.get_username()}: {reason.strip()} Nothing happened.")
        record(row.run, "approval.refused", by=by, reason=reason.strip())


def expire_old() -> None:
    """End every request that nobody decided in time."""
    for pk in Approval.objects.filter(state="pending", expires_at__lt=datetime.now(UTC)).values_list("pk", flat=True):
        with transaction.atomic():
            row = Approval.objects.select_for_update().select_related("run").get(pk=pk)
            if row.state != Approval.State.PENDING:
                continue
            _decide(row, Approval.State.EXPIRED, None)
            _end(row.run, RunStatus.EXPIRED, "Nobody approved it within 15 minutes. Nothing happened.")
            record(row.run, "approval.expired")


def withdraw(run: Run) -> None:
    """Whoever asked calls it off before anybody decided."""
    Approval.objects.filter(run=run, state=Approval.State.PENDING).update(state=Approval.State.VOID)
    _end(run, RunStatus.CANCELED, "Called off before anybody approved it. Nothing happened.")


def objection(run: Run) -> str:
    """Why the run may not begin for want of a valid approval; empty where it may."""
    if run.broken_glass:
        return ""
    approval = Approval.objects.filter(run=run).select_related("decided_by").first()
    if approval is None or approval.state != Approval.State.APPROVED or approval.decided_by is None:
        return "It was not approved by a second person."
    if approval.digest != run.plan.digest:
        return "The approval was for another plan."
    environment = environments.get(run.environment)
    verdict = can(User.objects.get(pk=approval.decided_by.pk), Verb.APPROVE, environment)
    return "" if verdict else f"{approval.decided_by} may not approve any more."


def void(run: Run) -> None:
    """The target changed after the consent: the consent is worth nothing any more."""
    Approval.objects.filter(run=run, state=Approval.State.APPROVED).update(state=Approval.State.VOID)


def may_break_glass(by: User, environment: Environment, reason: str) -> str:
    """Why `by` may not go without a second person; empty where a commander may, in an open SEV1, with a reason."""
    verdict = can(by, Verb.COMMAND, environment)
    if not verdict:
        return verdict.sentence
    if not any(find(environment) for find in open_sev1):
        return "Breaking the glass needs an open SEV1 incident: declare it first. Nothing happened."
    if len(reason.strip()) < BROKEN_GLASS_REASON:
        return f"Breaking the glass needs a reason of at least {BROKEN_GLASS_REASON} characters. Nothing happened."
    return ""


def _pending(approval: Approval, by: User) -> Approval:
    row = Approval.objects.select_for_update().select_related("run__plan", "requested_by").get(pk=approval.pk)
    verdict = can(by, Verb.APPROVE, environments.get(row.run.environment))
    if not verdict:
        raise Refused(verdict.sentence)
    if row.requested_by == by:
        raise Refused("Your own request needs another person. Nothing was decided.")
    if row.state != Approval.State.PENDING:
        raise Refused(f"This was decided already: {row.get_state_display()}.")
    if row.expires_at < datetime.now(UTC):
        raise Refused("The 15 minutes are over: ask again with a fresh plan. Nothing happened.")
    return row


def _decide(row: Approval, state: Approval.State, by: User | None, reason: str = "") -> None:
    row.state, row.decided_by, row.decided_at, row.reason = state, by, datetime.now(UTC), reason
    row.save(update_fields=["state", "decided_by", "decided_at", "reason"])


def _queue(run: Run) -> None:
    check_transition(run.status, RunStatus.QUEUED)
    run.status, run.queued_at = RunStatus.QUEUED, datetime.now(UTC)
    run.next_at = Now() - timedelta(seconds=1)
    run.save(update_fields=["status", "queued_at", "next_at"])
    announce(run)


def _end(run: Run, status: RunStatus, sentence: str) -> None:
    check_transition(run.status, status)
    run.status, run.outcome, run.finished_at = status, sentence, datetime.now(UTC)
    run.save(update_fields=["status", "outcome", "finished_at"])
    announce(run)
