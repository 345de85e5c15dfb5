"""The stop switch holds every new effect; the undo ledger remembers what was not put back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from novaops import environment as environments
from novaops.audit.models import Entry
from novaops.runbook import engine, freezes, requests, undo
from novaops.runbook.action import Context, Inverse
from novaops.runbook.models import Plan, Run, Undo
from novaops.runbook.states import RunStatus
from tests.runbook.bell import Bell, Ring
from tests.runbook.conftest import carry_on

pytestmark = pytest.mark.django_db
RunOf = Callable[..., Run]


def frozen(commander: User) -> None:
    freezes.freeze(environments.default(), by=commander, reason="We do not understand this yet")


def test_nothing_new_starts_while_frozen(
    bell: Bell, plan_of: Callable[..., Plan], commander: User, responder: User
) -> None:
    plan = plan_of(responder)
    frozen(commander)
    with pytest.raises(requests.NotStarted, match="frozen by commander: We do not understand this yet"):
        requests.request(plan, by=responder, reason="to be heard", idempotency_key="once")


def test_a_run_asked_for_before_waits_for_the_thaw(bell: Bell, run_of: RunOf, commander: User, responder: User) -> None:
    run = run_of(responder)
    frozen(commander)
    assert engine.advance(run.pk) == engine.FROZEN_S
    freezes.lift(environments.default(), by=commander)
    assert carry_on(run).status == RunStatus.SUCCEEDED
    assert list(Entry.objects.filter(verb__startswith="freeze").values_list("verb", flat=True)) == [
        "freeze.lifted",
        "freeze.set",
    ]


def test_an_effect_between_steps_is_held_and_a_wait_goes_on(
    bell: Bell, run_of: RunOf, commander: User, responder: User
) -> None:
    run = run_of(responder)
    engine.advance(run.pk)
    frozen(commander)
    Run.objects.filter(pk=run.pk).update(next_at=Now())
    engine.advance(run.pk)
    assert (bell.rung, "Frozen by commander" in run.steps.get(key="ring").sentence) == ([], True)


def test_a_wait_that_runs_is_not_stopped(bell: Bell, run_of: RunOf, commander: User, responder: User) -> None:
    run = run_of(responder)
    for _ in range(2):
        Run.objects.filter(pk=run.pk).update(next_at=Now())
        engine.advance(run.pk)
    frozen(commander)
    assert (carry_on(run).status, bell.rung) == (RunStatus.SUCCEEDED, [run.pk])


def test_only_a_commander_turns_the_switch_and_says_why(responder: User, commander: User) -> None:
    here = environments.default()
    with pytest.raises(freezes.Refused, match="may not command"):
        freezes.freeze(here, by=responder, reason="because I want to")
    with pytest.raises(freezes.Refused, match="Say why"):
        freezes.freeze(here, by=commander, reason="")
    frozen(commander)
    with pytest.raises(freezes.Refused, match="frozen already"):
        frozen(commander)
    freezes.lift(here, by=commander)
    with pytest.raises(freezes.Refused, match="is not frozen"):
        freezes.lift(here, by=commander)


@pytest.fixture
def _reversible(monkeypatch: pytest.MonkeyPatch) -> None:
    def inverse(self: Ring, ctx: Context) -> Inverse:
        return Inverse(action="ring", params={"times": 1}, sentence="Ring it back")

    monkeypatch.setattr(Ring, "inverse", inverse)


@pytest.mark.usefixtures("_reversible")
def test_a_succeeded_run_leaves_its_way_back_until_that_is_done(
    bell: Bell, run_of: RunOf, responder: User, client_of: Callable[[User], Any]
) -> None:
    carry_on(run_of(responder))
    entry = undo.standing(environments.default().name).get()
    answer = client_of(responder).post(f"/controls/undo/{entry.pk}")
    back = Plan.objects.get(pk=answer["Location"].split("/")[2])
    assert (back.params, back.undoes) == ({"times": 1}, entry)
    carry_on(requests.request(back, by=responder, reason="put it back", idempotency_key="back"))
    entry.refresh_from_db()
    assert (entry.state, entry.settled_by) == (Undo.State.DONE, responder)
    assert not undo.standing(environments.default().name).exists()


@pytest.mark.usefixtures("_reversible")
def test_a_change_that_is_meant_to_stay_leaves_the_ledger(
    bell: Bell, run_of: RunOf, responder: User, viewer: User
) -> None:
    carry_on(run_of(responder))
    entry = Undo.objects.get()
    with pytest.raises(undo.Refused, match="may not run"):
        undo.dismiss(entry, by=viewer)
    undo.dismiss(entry, by=responder)
    with pytest.raises(undo.Refused, match="settled already"):
        undo.dismiss(entry, by=responder)


@pytest.mark.usefixtures("_reversible")
def test_a_failed_run_leaves_nothing_to_put_back(bell: Bell, run_of: RunOf, responder: User) -> None:
    bell.troubles = ["refused"]
    carry_on(run_of(responder))
    assert not Undo.objects.exists()
