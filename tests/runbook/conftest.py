"""Fixtures of the engine's tests: the bell, its actions, and a worker that carries a run on."""

from collections.abc import Callable, Iterator
from dataclasses import fields

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from novaops import environment as environments
from novaops.runbook import engine, planning, requests
from novaops.runbook.models import Plan, Run
from novaops.runbook.registry import actions
from tests.runbook import bell as tower


@pytest.fixture
def bell(monkeypatch: pytest.MonkeyPatch) -> Iterator[tower.Bell]:
    """The bell, quiet, with its actions in the catalogue and no worker listening to the doorbell."""
    for action in (tower.Ring, tower.RingAgain):
        monkeypatch.setitem(actions, action.key, action)
    fresh = tower.Bell()
    for one in fields(fresh):
        setattr(tower.bell, one.name, getattr(fresh, one.name))
    return tower.bell


@pytest.fixture
def plan_of(bell: tower.Bell) -> Callable[..., Plan]:
    """Makes a resolved plan: `plan_of(user, "ring")`."""

    def make(by: User, key: str = "ring", **params: object) -> Plan:
        environment = environments.default()
        plan = planning.draft(actions[key](), environment, environment.target("api"), params, by=by, incident=None)
        planning.resolve(plan)
        return plan

    return make


@pytest.fixture
def run_of(plan_of: Callable[..., Plan]) -> Callable[..., Run]:
    """Starts a run: `run_of(user)`; nothing carries it on yet."""

    def start(by: User, key: str = "ring", idempotency_key: str = "once") -> Run:
        return requests.request(plan_of(by, key), by=by, reason="to be heard", idempotency_key=idempotency_key)

    return start


def carry_on(run: Run, *, most: int = 40) -> Run:
    """Be the worker: advance until nothing is left to do, as if every lease and delay had passed."""
    for _ in range(most):
        Run.objects.filter(pk=run.pk).update(next_at=Now(), lease_until=None)
        try:
            if engine.advance(run.pk) is None:
                break
        except tower.Died:
            continue
    run.refresh_from_db()
    return run
