"""Killing the worker with -9 again and again during a drill or a cut-over leads to one instance and one new version."""

import json
from collections.abc import Callable

import boto3
import pytest
from django.contrib.auth.models import User

from backups.models import Restore
from novaops import environment as environments
from novaops.audit import chain
from novaops.runbook import approvals, planning, requests, undo
from novaops.runbook.models import Approval, Call, Run
from novaops.runbook.registry import actions
from novaops.runbook.states import RunStatus
from novaops.sandbox.aws.secrets import URL
from novaops.sandbox.child import Child
from tests.backups import world
from tests.reliability.conftest import kill
from tests.reliability.test_killed_worker import over, until
from tests.servers import Nova

StartWorker = Callable[[], Child]
Moment = Callable[[Run], bool]
# What a killed worker left under way must still be so when the lease is over and the next one looks.
UNHURRIED = 50
BESIDE = "nova-restored-2026-11-24-17"


def requested(key: str, by: User, **params: str) -> Run:
    action, environment = actions[key](), environments.default()
    (target,) = action.targets(environment)
    plan = planning.draft(action, environment, target, params, by=by, incident=None)
    planning.resolve(plan)
    assert plan.refusals == []
    return requests.request(plan, by=by, reason="a rehearsal", idempotency_key=f"plan:{plan.pk}")


def unanswered(step: str) -> Moment:
    """The call of the step has left and nobody knows what came of it."""
    return lambda run: Call.objects.filter(step__run=run, step__key=step, signed_at__isnull=False, outcome="").exists()


def under_way(step: str) -> Moment:
    return lambda run: run.steps.filter(key=step, state="running").exists()


def hang(service: str, operation: str) -> dict[str, object]:
    return {"service": service, "operation": operation, "kind": "hang", "times": 1, "seconds": 2}


def killed_at(run: Run, moments: list[Moment], start_worker: StartWorker) -> None:
    """Let workers carry the run on, and kill each at its moment; the last one ends it."""
    for moment in moments:
        worker = start_worker()
        until(lambda moment=moment: moment(run))
        kill(worker)
    start_worker()
    until(lambda: over(run))


@pytest.mark.long(17)
def test_one_instance_is_made_and_none_is_left_though_the_worker_died_throughout_a_drill(
    aws: Nova, start_worker: StartWorker, responder: User
) -> None:
    aws.reset(factor=UNHURRIED)
    aws.faults([hang("rds", "RestoreDBInstanceFromDBSnapshot"), hang("rds", "DeleteDBInstance")])
    run = requested("restore-drill", responder)
    killed_at(run, [unanswered("restore"), under_way("available"), unanswered("delete")], start_worker)
    assert run.status == RunStatus.SUCCEEDED, run.outcome
    operations = [effect["operation"] for effect in aws.effects()]
    assert operations == ["RestoreDBInstanceFromDBSnapshot", "ModifyDBInstance", "DeleteDBInstance"]
    assert world.instances() == ["nova-db"]
    assert Restore.objects.get(run=run).state == Restore.State.PROVEN
    assert chain.verify().broken_seq is None


@pytest.mark.long(17)
def test_one_version_is_made_and_the_way_back_is_there_though_the_worker_died_throughout_a_cut_over(
    aws: Nova, start_worker: StartWorker, commander: User, commander2: User
) -> None:
    aws.reset(factor=UNHURRIED)
    world.create(BESIDE)
    aws.faults([hang("secretsmanager", "PutSecretValue")])
    run = requested("cut-over", commander, instance=BESIDE)
    approvals.approve(Approval.objects.get(run=run), by=commander2)
    killed_at(run, [unanswered("point"), under_way("rollout-api"), under_way("rollout-events")], start_worker)
    assert run.status == RunStatus.SUCCEEDED, run.outcome
    operations = [effect["operation"] for effect in aws.effects()]
    assert operations == ["PutSecretValue", "UpdateService", "UpdateService"]
    found = boto3.client("secretsmanager").get_secret_value(SecretId="nova/database", VersionStage="AWSCURRENT")
    assert json.loads(found["SecretString"])["DATABASE_URL"] == URL.replace("nova-db.", f"{BESIDE}.")
    assert undo.of_run(run).action == "cut-back"
    assert chain.verify().broken_seq is None
