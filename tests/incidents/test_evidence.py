"""What each step takes as proof, and what it says while that is missing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidents.evidence import EVIDENCE, MISSING, Evidence, Facts, ServiceHealth, evidence, missing
from incidents.steps import STEPS, StepKey

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
PROOF = Evidence(kind="note", at=NOW, text="proof")
NOTHING = Facts(now=NOW, services=(), severity="", commander="")
API = ServiceHealth(
    kind="api", title="API server", healthy=True, word="Healthy", since=NOW - timedelta(hours=1), why=""
)


def sentences(step: StepKey, facts: Facts) -> list[str]:
    return [reason.sentence for reason in missing(step, facts)]


def test_every_step_of_the_runbook_has_its_proof_in_the_runbooks_order() -> None:
    assert [step.key for step in STEPS] == list(StepKey) == list(EVIDENCE) == list(MISSING)
    assert [step.title for step in STEPS] == ["Detect", "Assess", "Communicate", "Mitigate", "Resolve", "Post-mortem"]


@pytest.mark.parametrize("step", StepKey)
def test_without_facts_no_step_closes_and_every_reason_has_its_mend(step: StepKey) -> None:
    reasons = missing(step, NOTHING)
    assert reasons
    assert all(reason.sentence and reason.mend for reason in reasons)
    assert evidence(step, NOTHING) == []


@pytest.mark.parametrize(
    ("step", "facts"),
    [
        (StepKey.DETECT, replace(NOTHING, alerts=(PROOF,))),
        (StepKey.DETECT, replace(NOTHING, reports=(PROOF,))),
        (StepKey.ASSESS, replace(NOTHING, services=("api",), severity="SEV2", snapshot=PROOF)),
        (StepKey.COMMUNICATE, replace(NOTHING, commander="grace", messages=(PROOF,))),
        (StepKey.MITIGATE, replace(NOTHING, succeeded_runs=(PROOF,))),
        (StepKey.MITIGATE, replace(NOTHING, no_action=(PROOF,))),
        (StepKey.RESOLVE, replace(NOTHING, health=(API,), verify_for_s=60)),
        (StepKey.POSTMORTEM, replace(NOTHING, resolved_at=NOW, published=PROOF, exported=PROOF)),
    ],
)
def test_a_step_closes_on_its_proof(step: StepKey, facts: Facts) -> None:
    assert missing(step, facts) == []
    assert evidence(step, facts)


def test_communicate_needs_both_a_commander_and_a_message() -> None:
    assert sentences(StepKey.COMMUNICATE, replace(NOTHING, commander="grace")) == ["No message is recorded."]
    assert sentences(StepKey.COMMUNICATE, replace(NOTHING, messages=(PROOF,))) == ["Nobody commands the incident."]


def test_resolve_says_what_is_not_healthy() -> None:
    sick = replace(API, healthy=False, word="Critical", why="CPU is 93 %")
    facts = replace(NOTHING, health=(API, sick), verify_for_s=60)
    assert sentences(StepKey.RESOLVE, facts) == ["API server is Critical: CPU is 93 %"]


@pytest.mark.parametrize(("healthy_s", "closes"), [(59, False), (60, True), (61, True)])
def test_resolve_waits_until_the_services_were_healthy_long_enough(healthy_s: int, closes: bool) -> None:
    fresh = replace(API, since=NOW - timedelta(seconds=healthy_s))
    reasons = missing(StepKey.RESOLVE, replace(NOTHING, health=(fresh,), verify_for_s=60))
    assert (reasons == []) is closes
    if not closes:
        assert reasons[0].sentence == "API server is healthy for 59 s only, 1 min are asked for."
        assert reasons[0].mend == "Check again in 1 s."


def test_resolve_names_the_steps_that_are_still_open() -> None:
    facts = replace(NOTHING, health=(API,), open_before=("Assess", "Mitigate"))
    assert sentences(StepKey.RESOLVE, facts) == ["Assess is still open.", "Mitigate is still open."]
