"""Killing the worker with -9 at any moment leads to one deployment and a finished run."""

import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.audit import chain
from novaops.audit.models import Entry
from novaops.runbook import planning, requests
from novaops.runbook.models import Call, Run
from novaops.runbook.registry import actions
from novaops.runbook.states import FINISHED, RunStatus
from novaops.sandbox.child import Child
from tests.reliability.conftest import kill
from tests.servers import Nova

StartWorker = Callable[[], Child]


def requested(by: User) -> Run:
    plan = planning.draft(actions["restart-api"](), environments.default(), "nova-api", {}, by=by, incident=None)
    planning.resolve(plan)
    return requests.request(plan, by=by, reason="a rehearsal", idempotency_key=f"plan:{plan.pk}")


def until(holds: Callable[[], bool], limit_s: float = 120) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, [(run.status, run.outcome) for run in Run.objects.all()]
        time.sleep(0.05)


def over(run: Run) -> bool:
    run.refresh_from_db()
    return run.status in (*FINISHED, RunStatus.UNKNOWN)


def killed_between_signing_and_sending(run: Run) -> bool:
    """Whether the kill met those microseconds: nobody can know then that nothing was sent, and the run says so."""
    return run.status == RunStatus.UNKNOWN and Call.objects.filter(step__run=run, signed_at__isnull=False).exists()


MOMENTS: dict[str, Callable[[Run, Nova], bool]] = {
    "it-has-begun": lambda run, _: Run.objects.get(pk=run.pk).status != RunStatus.QUEUED,
    "the-intent-is-committed": lambda run, _: Call.objects.filter(step__run=run).exists(),
    "the-call-is-received-and-unanswered": lambda _, aws: bool(aws.effects()),
    "the-rollout-is-under-way": lambda run, _: run.steps.filter(key="rollout", state="running").exists(),
}


@pytest.mark.long(9)
@pytest.mark.parametrize("moment", MOMENTS)
def test_one_deployment_and_a_finished_run_though_the_worker_died_when(
    moment: str, aws: Nova, start_worker: StartWorker, responder: User
) -> None:
    aws.faults([{"service": "ecs", "operation": "UpdateService", "kind": "hang", "times": 1, "seconds": 2}])
    first = start_worker()
    run = requested(responder)
    until(lambda: MOMENTS[moment](run, aws))
    kill(first)
    start_worker()
    until(lambda: over(run))
    sent = [effect["operation"] for effect in aws.effects()]
    if sent or not killed_between_signing_and_sending(run):
        assert (run.status, sent) == (RunStatus.SUCCEEDED, ["UpdateService"]), run.outcome
    told = list(Entry.objects.filter(run=run.pk).values_list("verb", flat=True))
    outcomes = [verb for verb in told if verb == "run.unknown" or verb.startswith("effect.")]
    assert outcomes.count("effect.intended") * 2 == len(outcomes)
    assert chain.verify().broken_seq is None
