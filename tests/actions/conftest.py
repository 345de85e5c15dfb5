"""Fixtures of the actions' tests: a plan, a run and a worker against the simulated AWS."""

import math
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from novaops import environment as environments
from novaops.cloud import aws as calls
from novaops.cloud import nova_db, rds, stellar_rpc
from novaops.cloud.errors import OutsideError
from novaops.runbook import approvals, engine, planning, requests
from novaops.runbook.models import Approval, Plan, Run
from novaops.runbook.registry import actions
from novaops.runbook.states import FINISHED, RunStatus
from novaops.sandbox.child import POLL_S, until
from tests.sandbox.conftest import eventually
from tests.servers import ROOT, Nova

# How much faster a world runs in which runs go to their end: nobody waits for a rollout here.
FAST = 200


@pytest.fixture
def plan_of() -> Callable[..., Plan]:
    """Makes a resolved plan of a catalogue action on its first target: `plan_of(user, "restart-api")`."""

    def make(by: User, key: str, **params: Any) -> Plan:
        action, environment = actions[key](), environments.default()
        plan = planning.draft(action, environment, action.targets(environment)[0], params, by=by, incident=None)
        planning.resolve(plan)
        return plan

    return make


@pytest.fixture
def run_through(plan_of: Callable[..., Plan], commander2: User) -> Callable[..., Run]:
    """Requests a run, has it approved where it must be, and carries it on until it is over."""

    def start(by: User, key: str, **params: Any) -> Run:
        plan = plan_of(by, key, **params)
        assert plan.state == Plan.State.READY, plan.sentence
        run = requests.request(plan, by=by, reason="a rehearsal", idempotency_key=f"plan:{plan.pk}")
        if run.status == RunStatus.AWAITING_APPROVAL:
            approvals.approve(Approval.objects.get(run=run), by=commander2)
            run.refresh_from_db()
        return carry_on(run)

    return start


@pytest.fixture
def aws(sandbox: Nova) -> Nova:
    """The simulated AWS, calm, in a fast world."""
    sandbox.reset(factor=FAST)
    return sandbox


@pytest.fixture
def declare(tmp_path: Path, settings: Settings) -> Iterator[Callable[..., None]]:
    """Changes a text of nova.toml: `declare('kind = "instance"', 'kind = "cluster"')`."""
    copy = tmp_path / "nova.toml"
    shutil.copy(settings.NOVA_TOML, copy)

    def change(before: str, after: str) -> None:
        assert before in copy.read_text()
        copy.write_text(copy.read_text().replace(before, after))
        settings.NOVA_TOML = copy
        environments.environments.cache_clear()

    yield change
    environments.environments.cache_clear()


@pytest.fixture
def cluster(aws: Nova, declare: Callable[..., None]) -> str:
    """A Multi-AZ DB cluster, declared as Nova's database."""
    create = calls.Operation("rds:CreateDBCluster")
    create(environments.default(), {"DBClusterIdentifier": "nova", "Engine": "postgres"}, fence=lambda: True, run_id=0)
    declare('kind = "instance"\ninstance_id = "nova-db"', 'kind = "cluster"\ncluster_id = "nova"')
    assert until(lambda: rds.describe_cluster(environments.default(), "nova").status == "available", 20)
    return "nova"


@pytest.fixture
def fleet(aws: Nova, settings: Settings) -> Iterator[Nova]:
    """A Nova whose API server runs on EC2, in a fast world."""
    settings.NOVA_TOML = ROOT / "tests" / "data" / "nova-ec2.toml"
    environments.environments.cache_clear()
    yield aws
    environments.environments.cache_clear()


@pytest.fixture
def reading(aws: Nova) -> Nova:
    """The simulated Nova once its event processor follows the ledger."""
    aws.reset(factor=FAST, processes=True)
    follows()
    return aws


def follows() -> None:
    """Wait until the event processor follows the ledger."""
    eventually(_lag_ledgers, lambda lag: lag < 20, timeout_s=30)


def _lag_ledgers() -> float:
    environment = environments.default()
    try:
        cursor = nova_db.processed_ledger(environment.database.dsn, environment.events.cursor_table)
        return stellar_rpc.health(str(environment.events.rpc_url)).latest_ledger - cursor
    except OutsideError:
        return math.inf


def sent_by(run: Run, aws: Nova) -> list[str]:
    """The changing operations that AWS received from the run."""
    return [one["operation"] for one in aws.effects() if f"novaops/run-{run.pk}" in one["user_agent"].split()]


def carry_on(run: Run, *, limit_s: float = 60) -> Run:
    """Be the worker until the run is over."""
    deadline = time.monotonic() + limit_s
    while run.status not in (*FINISHED, RunStatus.UNKNOWN):
        if time.monotonic() > deadline:
            raise AssertionError(f"{run} is {run.status}: {[(s.key, s.state, s.sentence) for s in run.steps.all()]}")
        advance(run)
    return run


def advance(run: Run) -> None:
    """Be the worker for one transition, and come back when the engine says."""
    after_s = engine.advance(run.pk)
    time.sleep(POLL_S if after_s is None else after_s)
    run.refresh_from_db()
