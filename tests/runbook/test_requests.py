"""Asking for a run: once is once, and a refusal says why."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection

from novaops.audit import chain
from novaops.audit.models import Entry
from novaops.runbook import requests
from novaops.runbook.models import Plan, Run
from novaops.runbook.states import RunStatus
from tests.runbook.bell import Bell, Ring
from tests.runbook.conftest import carry_on

PlanOf = Callable[..., Plan]
RunOf = Callable[..., Run]


def ask(plan: Plan, by: User, key: str = "once", reason: str = "to be heard") -> Run:
    return requests.request(plan, by=by, reason=reason, idempotency_key=key)


def refusal(plan: Plan, by: User, key: str = "another", reason: str = "to be heard") -> requests.NotStarted:
    with pytest.raises(requests.NotStarted) as refused:
        ask(plan, by, key, reason)
    return refused.value


@pytest.mark.django_db
def test_the_same_key_answers_with_the_first_run(bell: Bell, plan_of: PlanOf, responder: User) -> None:
    plan = plan_of(responder)
    assert ask(plan, responder) == ask(plan, responder)
    assert Run.objects.count() == Entry.objects.filter(verb="run.requested").count() == 1


@pytest.mark.django_db
def test_the_same_key_for_something_else_is_refused(bell: Bell, plan_of: PlanOf, responder: User) -> None:
    plan = plan_of(responder)
    ask(plan, responder)
    assert refusal(plan, responder, key="once", reason="for another reason").code == "key-reused"


@pytest.mark.django_db
def test_a_plan_is_run_once(bell: Bell, plan_of: PlanOf, responder: User) -> None:
    plan = plan_of(responder)
    run = carry_on(ask(plan, responder))
    refused = refusal(plan, responder)
    assert (refused.code, refused.run) == ("plan-used", run)


@pytest.mark.django_db
def test_a_second_run_on_the_target_is_told_which_stands_in_the_way(
    bell: Bell, plan_of: PlanOf, responder: User, commander: User
) -> None:
    first = ask(plan_of(responder), responder)
    refused = refusal(plan_of(commander), commander)
    assert (refused.code, refused.run) == ("target-busy", first)
    assert str(refused) == f"Ring the bell by responder is on nova-api already (run {first.pk}). Nothing happened."


@pytest.mark.django_db
def test_a_viewer_and_an_administrator_cannot_run(bell: Bell, plan_of: PlanOf, viewer: User, admin: User) -> None:
    for user in (viewer, admin):
        assert refusal(plan_of(user), user).code == "not-permitted"
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_a_reason_is_required(bell: Bell, plan_of: PlanOf, responder: User) -> None:
    assert refusal(plan_of(responder), responder, reason="  ").code == "no-reason"


@pytest.mark.django_db
def test_a_failed_precheck_is_the_reason(bell: Bell, plan_of: PlanOf, responder: User) -> None:
    bell.open = False
    refused = refusal(plan_of(responder), responder)
    assert (refused.code, str(refused)) == ("precheck-failed", "The tower is closed. Nothing happened.")


@pytest.mark.django_db
def test_a_plan_that_could_not_be_made_cannot_be_run(bell: Bell, plan_of: PlanOf, responder: User) -> None:
    bell.blind = True
    plan = plan_of(responder)
    assert plan.state == Plan.State.FAILED
    assert refusal(plan, responder).code == "plan-failed"


@pytest.mark.django_db
def test_a_target_cools_down(bell: Bell, plan_of: PlanOf, responder: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ring, "cool_down_s", 300)
    carry_on(ask(plan_of(responder), responder))
    assert refusal(plan_of(responder), responder).code == "cooling-down"


@pytest.mark.django_db(transaction=True)
def test_nothing_starts_that_cannot_be_audited(
    bell: Bell, plan_of: PlanOf, responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise IntegrityError("the disk of the audit is full")

    plan = plan_of(responder)
    monkeypatch.setattr(chain, "record", broken)
    with pytest.raises(IntegrityError):
        ask(plan, responder)
    assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_hundred_concurrent_identical_requests_make_one_run(bell: Bell, plan_of: PlanOf, responder: User) -> None:
    plan, gate = plan_of(responder), threading.Barrier(20)

    def click(number: int) -> int:
        if number < 20:
            gate.wait()
        try:
            return ask(plan, responder).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(click, range(200)))
    assert answers == {Run.objects.get().pk}
    assert Entry.objects.filter(verb="run.requested").count() == 1
    assert chain.verify().broken_seq is None


@pytest.mark.django_db(transaction=True)
def test_twenty_users_on_one_target_make_one_run(bell: Bell, plan_of: PlanOf, responder: User) -> None:
    plans, gate = [plan_of(responder) for _ in range(20)], threading.Barrier(20)

    def click(plan: Plan) -> str:
        gate.wait()
        try:
            return str(ask(plan, responder, key=f"plan:{plan.pk}").pk)
        except requests.NotStarted as refused:
            return refused.code
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = sorted(pool.map(click, plans))
    assert answers == sorted([str(Run.objects.get().pk), *["target-busy"] * 19])


@pytest.mark.django_db
def test_only_a_commander_decides_an_unknown_outcome(
    bell: Bell, run_of: RunOf, responder: User, commander: User
) -> None:
    bell.troubles = ["error-before"]
    run = carry_on(run_of(responder))
    with pytest.raises(requests.NotStarted, match="may not command"):
        requests.decide(run, happened=True, by=responder, reason="I heard it")
    with pytest.raises(requests.NotStarted, match="Say what you saw"):
        requests.decide(run, happened=True, by=commander, reason="")
    requests.decide(run, happened=True, by=commander, reason="I heard it")
    run.refresh_from_db()
    assert (run.status, run.outcome) == (RunStatus.SUCCEEDED, "commander: I heard it")
    entry = Entry.objects.get(verb="run.marked-done")
    assert (entry.actor, entry.reason) == ("commander", "I heard it")


@pytest.mark.django_db
def test_checking_again_finds_an_effect_that_showed_up_late_and_goes_on(
    bell: Bell, run_of: RunOf, responder: User, commander: User
) -> None:
    bell.troubles, bell.visible = ["answer-lost"], False
    run = carry_on(run_of(responder))
    assert run.status == RunStatus.UNKNOWN
    requests.check(run, by=commander)
    assert carry_on(run).status == RunStatus.UNKNOWN
    bell.visible = True
    requests.check(run, by=commander)
    run = carry_on(run)
    assert (run.status, run.outcome, bell.rung) == (RunStatus.SUCCEEDED, "Peace", [run.pk])


@pytest.mark.django_db
def test_a_run_that_is_over_cannot_be_canceled_or_decided(
    bell: Bell, run_of: RunOf, responder: User, commander: User
) -> None:
    run = carry_on(run_of(responder))
    with pytest.raises(requests.NotStarted, match="nothing is left to cancel"):
        requests.cancel(run, by=responder)
    with pytest.raises(requests.NotStarted, match="not waiting for a decision"):
        requests.decide(run, happened=True, by=commander, reason="I heard it")
