"""Two people for what destroys: bound to the plan, for fifteen minutes, once, never the one who asked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from novaops.audit.models import Entry
from novaops.runbook import approvals, requests
from novaops.runbook.action import Risk
from novaops.runbook.models import Approval, Plan, Run
from novaops.runbook.states import RunStatus
from tests.runbook.bell import Bell, Ring
from tests.runbook.conftest import carry_on

pytestmark = pytest.mark.django_db
RunOf = Callable[..., Run]
LONG_REASON = "Customers cannot pay and nobody else is awake tonight"


@pytest.fixture(autouse=True)
def destructive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ringing destroys something here, so that it needs two people."""
    monkeypatch.setattr(Ring, "risk", Risk.DESTRUCTIVE)


def test_a_destructive_run_waits_and_an_approval_lets_it_begin(
    bell: Bell, run_of: RunOf, responder: User, commander: User
) -> None:
    run = run_of(responder)
    assert (carry_on(run).status, bell.rung) == (RunStatus.AWAITING_APPROVAL, [])
    approvals.approve(run.approval, by=commander)
    assert (carry_on(run).status, bell.rung) == (RunStatus.SUCCEEDED, [run.pk])
    assert Entry.objects.get(verb="approval.given").actor == "commander"


def test_nobody_approves_their_own_request(bell: Bell, run_of: RunOf, commander: User) -> None:
    run = run_of(commander)
    with pytest.raises(approvals.Refused, match="another person"):
        approvals.approve(run.approval, by=commander)
    with pytest.raises(IntegrityError, match="nobody_approves_their_own_request"), transaction.atomic():
        Approval.objects.filter(run=run).update(decided_by=commander, state="approved")
    assert carry_on(run).status == RunStatus.AWAITING_APPROVAL


def test_a_responder_cannot_approve(bell: Bell, run_of: RunOf, responder: User, commander: User) -> None:
    run = run_of(commander)
    with pytest.raises(approvals.Refused, match="may not approve"):
        approvals.approve(run.approval, by=responder)


def test_an_approval_is_used_once(
    bell: Bell, run_of: RunOf, responder: User, commander: User, commander2: User
) -> None:
    run = run_of(responder)
    approvals.approve(run.approval, by=commander)
    with pytest.raises(approvals.Refused, match="decided already"):
        approvals.refuse(run.approval, by=commander2, reason="too late")


def test_a_refusal_ends_the_run_with_its_reason(bell: Bell, run_of: RunOf, responder: User, commander: User) -> None:
    run = run_of(responder)
    approvals.refuse(run.approval, by=commander, reason="Wait for the backup.")
    run = carry_on(run)
    assert (run.status, bell.rung) == (RunStatus.CANCELED, [])
    assert run.outcome == "Refused by commander: Wait for the backup. Nothing happened."


def test_it_expires_after_fifteen_minutes(bell: Bell, run_of: RunOf, responder: User, commander: User) -> None:
    run = run_of(responder)
    left = run.approval.expires_at - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    Approval.objects.filter(run=run).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(approvals.Refused, match="15 minutes are over"):
        approvals.approve(run.approval, by=commander)
    approvals.expire_old()
    run.refresh_from_db()
    assert (run.status, Approval.objects.get(run=run).state) == (RunStatus.EXPIRED, Approval.State.EXPIRED)


def test_a_target_that_changed_after_the_consent_voids_it(
    bell: Bell, run_of: RunOf, responder: User, commander: User
) -> None:
    run = run_of(responder)
    approvals.approve(run.approval, by=commander)
    bell.open = False
    run = carry_on(run)
    assert (run.status, bell.rung) == (RunStatus.FAILED, [])
    assert Approval.objects.get(run=run).state == Approval.State.VOID


def test_an_approver_who_lost_the_right_approves_nothing(
    bell: Bell, run_of: RunOf, responder: User, commander: User
) -> None:
    run = run_of(responder)
    approvals.approve(run.approval, by=commander)
    commander.groups.clear()
    assert "may not approve any more" in carry_on(run).outcome
    assert bell.rung == []


def test_a_run_set_to_queued_behind_the_approval_does_not_begin(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = run_of(responder)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.QUEUED)
    run = carry_on(run)
    assert (run.status, bell.rung) == (RunStatus.FAILED, [])
    assert "not approved by a second person" in run.outcome


def test_whoever_asked_may_call_it_off(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = run_of(responder)
    requests.cancel(run, by=responder)
    run.refresh_from_db()
    assert (run.status, Approval.objects.get(run=run).state) == (RunStatus.CANCELED, Approval.State.VOID)


def break_glass(plan: Plan, by: User, reason: str) -> Run:
    return requests.request(plan, by=by, reason=reason, idempotency_key="glass", break_glass=True)


def test_a_commander_breaks_the_glass_in_an_open_sev1(
    bell: Bell, plan_of: Callable[..., Plan], commander: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "open_sev1", [lambda environment: 7])
    run = carry_on(break_glass(plan_of(commander), commander, LONG_REASON))
    assert (run.status, run.broken_glass) == (RunStatus.SUCCEEDED, True)
    assert Entry.objects.get(verb="run.requested-breaking-glass").reason == LONG_REASON


@pytest.mark.parametrize(
    ("who", "sev1", "reason", "sentence"),
    [
        pytest.param("responder", True, LONG_REASON, "may not command", id="no-commander"),
        pytest.param("commander", False, LONG_REASON, "needs an open SEV1", id="no-sev1"),
        pytest.param("commander", True, "hurry", "at least 30 characters", id="short-reason"),
    ],
)
def test_the_glass_holds_otherwise(
    bell: Bell,
    plan_of: Callable[..., Plan],
    user_with_role: Callable[[str, str], User],
    monkeypatch: pytest.MonkeyPatch,
    who: str,
    sev1: bool,
    reason: str,
    sentence: str,
) -> None:
    monkeypatch.setattr(approvals, "open_sev1", [lambda environment: 7 if sev1 else None])
    user = user_with_role(who, who)
    with pytest.raises(requests.NotStarted, match=sentence):
        break_glass(plan_of(user), user, reason)
    assert not Run.objects.exists()
