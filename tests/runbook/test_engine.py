"""An effect happens at most once, whatever happens to the worker, the answer or the outside."""

import json
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novaops.audit.models import Entry
from novaops.runbook import engine, leases, requests
from novaops.runbook.models import Call, Run
from novaops.runbook.states import FINISHED, RunStatus
from tests.runbook.bell import Bell
from tests.runbook.conftest import carry_on

pytestmark = pytest.mark.django_db
RunOf = Callable[..., Run]


def verbs(run: Run) -> list[str]:
    return list(Entry.objects.filter(run=run.pk).order_by("seq").values_list("verb", flat=True))


def test_a_run_goes_through_its_steps_and_records_each_decision(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = carry_on(run_of(responder))
    assert (run.status, run.outcome) == (RunStatus.SUCCEEDED, "Peace")
    assert [step.state for step in run.steps.all()] == ["done", "done", "done"]
    assert bell.rung == [run.pk]
    assert verbs(run) == ["run.requested", "run.started", "effect.intended", "effect.ok", "run.succeeded"]


def test_what_an_effect_answered_reaches_the_later_steps(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = carry_on(run_of(responder))
    assert run.steps.get(key="quiet").sentence == "Quiet after ring 1"


def test_a_wait_shows_what_the_outside_says_until_it_is_done(bell: Bell, run_of: RunOf, responder: User) -> None:
    bell.settled_after = 3
    run = run_of(responder)
    for _ in range(3):
        Run.objects.filter(pk=run.pk).update(next_at=Now())
        engine.advance(run.pk)
    step = run.steps.get(key="quiet")
    assert (step.state, step.sentence, step.progress_percent) == ("running", "Still swinging", 50)
    assert carry_on(run).status == RunStatus.SUCCEEDED


@pytest.mark.parametrize(
    "trouble", ["die-before-signing", "die-after-ringing", "answer-lost", "throttled", "not-connected"]
)
def test_one_ring_though_the_call_met_trouble(bell: Bell, run_of: RunOf, responder: User, trouble: str) -> None:
    bell.troubles = [trouble]
    run = carry_on(run_of(responder))
    assert (run.status, bell.rung) == (RunStatus.SUCCEEDED, [run.pk])


@pytest.mark.parametrize("trouble", ["die-before-ringing", "error-before"])
def test_an_effect_that_is_not_seen_is_never_sent_again(
    bell: Bell, run_of: RunOf, responder: User, trouble: str
) -> None:
    bell.troubles = [trouble]
    run = carry_on(run_of(responder))
    assert (run.status, bell.rung) == (RunStatus.UNKNOWN, [])
    assert "may or may not have happened" in run.outcome
    assert verbs(run)[-1] == "run.unknown"


def test_an_effect_that_cannot_be_seen_is_unknown_and_not_repeated(bell: Bell, run_of: RunOf, responder: User) -> None:
    bell.troubles, bell.visible = ["die-after-ringing"], False
    run = carry_on(run_of(responder))
    assert (run.status, bell.rung) == (RunStatus.UNKNOWN, [run.pk])


def test_an_unknown_outcome_locks_its_target_until_a_commander_decides(
    bell: Bell, run_of: RunOf, responder: User, commander: User
) -> None:
    bell.troubles = ["error-before"]
    run = carry_on(run_of(responder))
    with pytest.raises(requests.NotStarted, match="already") as refused:
        run_of(responder, idempotency_key="another")
    assert refused.value.code == "target-busy"
    requests.decide(run, happened=False, by=commander, reason="The tower's log shows no ring")
    assert carry_on(run_of(responder, idempotency_key="third")).status == RunStatus.SUCCEEDED


def test_a_converging_effect_that_is_not_seen_is_sent_again(
    bell: Bell, run_of: RunOf, responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_S", -1)
    bell.troubles = ["error-before"]
    run = carry_on(run_of(responder, "ring-again"))
    assert (run.status, bell.rung) == (RunStatus.SUCCEEDED, [run.pk])
    assert [call.outcome for call in Call.objects.filter(step__run=run)] == ["not_seen", "ok"]


@pytest.mark.parametrize("later", ["refused", "throttled", "canceled"])
def test_an_effect_that_was_sent_and_not_seen_is_never_called_failed_or_canceled(
    bell: Bell, run_of: RunOf, responder: User, monkeypatch: pytest.MonkeyPatch, later: str
) -> None:
    monkeypatch.setattr(engine, "SETTLE_S", -1)
    bell.troubles, bell.visible = ["answer-lost", *[later] * engine.MOST_ATTEMPTS], False
    run = run_of(responder, "ring-again")
    if later == "canceled":
        carry_on(run, most=3)
        requests.cancel(run, by=responder)
    run = carry_on(run)
    assert (run.status, bell.rung) == (RunStatus.UNKNOWN, [run.pk])
    assert "may or may not have happened" in run.outcome


def test_checking_an_unknown_outcome_sends_nothing(
    bell: Bell, run_of: RunOf, responder: User, commander: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_S", -1)
    bell.troubles, bell.visible = ["answer-lost", "refused"], False
    run = carry_on(run_of(responder, "ring-again"))
    requests.check(run, by=commander)
    assert carry_on(run).status == RunStatus.UNKNOWN
    bell.visible = True
    requests.check(run, by=commander)
    assert carry_on(run).status == RunStatus.SUCCEEDED
    assert bell.rung == [run.pk]


def test_a_refusal_ends_the_run_and_says_that_nothing_happened(bell: Bell, run_of: RunOf, responder: User) -> None:
    bell.troubles = ["refused"]
    run = carry_on(run_of(responder))
    assert (run.status, bell.rung) == (RunStatus.FAILED, [])
    assert run.outcome.endswith("the bell is being cleaned. Nothing happened.")
    assert [step.state for step in run.steps.all()] == ["failed", "skipped", "skipped"]


def test_a_call_that_never_leaves_is_given_up_in_the_end(bell: Bell, run_of: RunOf, responder: User) -> None:
    bell.troubles = ["throttled"] * engine.MOST_ATTEMPTS
    run = carry_on(run_of(responder))
    assert (run.status, bell.rung) == (RunStatus.FAILED, [])


def test_a_failed_wait_fails_the_run(bell: Bell, run_of: RunOf, responder: User) -> None:
    bell.broken = True
    run = carry_on(run_of(responder))
    assert (run.status, run.outcome) == (RunStatus.FAILED, "The rope broke")


def test_a_changed_target_voids_the_plan(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = run_of(responder)
    bell.open = False
    run = carry_on(run)
    assert (run.status, bell.rung) == (RunStatus.FAILED, [])
    assert "changed since the preview (open: True -> False)" in run.outcome


def test_a_revoked_permission_is_noticed_before_the_effect(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = run_of(responder)
    responder.groups.clear()
    run = carry_on(run)
    assert (run.status, bell.rung) == (RunStatus.FAILED, [])
    assert "may not do this any more" in run.outcome


def test_a_run_canceled_before_it_began_does_nothing(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = run_of(responder)
    requests.cancel(run, by=responder)
    assert carry_on(run).status == RunStatus.CANCELED
    assert bell.rung == []


def test_canceling_later_stops_the_steps_that_are_left(bell: Bell, run_of: RunOf, responder: User) -> None:
    bell.settled_after = 100
    run = run_of(responder)
    for _ in range(3):
        Run.objects.filter(pk=run.pk).update(next_at=Now())
        engine.advance(run.pk)
    requests.cancel(run, by=responder)
    run = carry_on(run)
    assert run.status == RunStatus.CANCELED
    assert "1 of 3 steps" in run.outcome


def test_a_broken_transition_is_tried_again_and_then_ends_the_run(
    bell: Bell, run_of: RunOf, responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(responder)
    monkeypatch.setattr("tests.runbook.bell.Ring.look", lambda self, ctx: 1 / 0)
    run = carry_on(run)
    assert (run.status, bell.rung) == (RunStatus.FAILED, [])
    assert "NovaOps itself failed" in run.outcome


def test_an_unknown_step_of_another_version_is_not_guessed(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = run_of(responder)
    engine.advance(run.pk)
    run.steps.filter(key="ring").update(key="ring-loudly")
    run = carry_on(run)
    assert (run.status, bell.rung) == (RunStatus.FAILED, [])


def test_a_message_delivered_ten_times_makes_one_transition(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = run_of(responder)
    lease = leases.claim(run.pk)
    assert lease is not None
    assert [engine.advance(run.pk) for _ in range(10)] == [None] * 10
    assert bell.rung == []


def test_a_worker_that_lost_its_lease_writes_nothing(bell: Bell, run_of: RunOf, responder: User) -> None:
    run = run_of(responder)
    slow = leases.claim(run.pk)
    assert slow is not None
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    assert leases.claim(run.pk) is not None
    with pytest.raises(leases.Lost):
        slow.extend()


TROUBLES = [
    *("", "die-before-signing", "die-before-ringing", "die-after-ringing"),
    *("answer-lost", "error-before", "throttled"),
]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(troubles=st.lists(st.sampled_from(TROUBLES), max_size=4), visible=st.booleans())
def test_whatever_happens_the_bell_rings_at_most_once_and_success_means_it_rang(
    bell: Bell, run_of: RunOf, responder: User, troubles: list[str], visible: bool
) -> None:
    bell.rung.clear()
    bell.troubles, bell.visible = list(troubles), visible
    run = carry_on(run_of(responder, idempotency_key=json.dumps([troubles, visible])))
    assert len(bell.rung) <= 1
    assert run.status in (*FINISHED, RunStatus.UNKNOWN)
    assert run.status != RunStatus.SUCCEEDED or bell.rung == [run.pk]
    assert run.status != RunStatus.FAILED or bell.rung == []
    intents, outcomes = (
        [verb for verb in verbs(run) if verb.startswith("effect.") and (verb == "effect.intended") is is_intent]
        for is_intent in (True, False)
    )
    assert len(intents) == len(outcomes) + (run.status == RunStatus.UNKNOWN)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED)
