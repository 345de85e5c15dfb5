"""What breaks around the engine: the broker, the database connection, the clock."""

import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from novaops import environment as environments
from novaops import live
from novaops.audit import chain
from novaops.celery import app
from novaops.runbook import engine, leases, planning, transitions
from novaops.runbook.models import Call, Run
from novaops.runbook.registry import actions
from novaops.runbook.states import RunStatus
from novaops.sandbox import addresses
from novaops.sandbox.child import Child
from novaops.sandbox.embedded import Redis
from tests.reliability.test_killed_worker import over, requested, until
from tests.runbook import bell as tower
from tests.runbook.conftest import bell, carry_on, plan_of, run_of
from tests.servers import Nova

__all__ = ["bell", "plan_of", "run_of"]
RunOf = Callable[..., Run]


@pytest.fixture(params=["stopped", "frozen"])
def ill_redis(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """This process's cache and broker are a Redis that is stopped, or takes connections and never answers."""
    port = addresses.free_port()
    redis = Redis("redis", tmp_path / "redis", tmp_path / "redis.log", port=port, durable=False)
    if request.param == "frozen":
        redis.start()
        redis.wait_ready()
        assert redis.child.process
        redis.child.process.send_signal(signal.SIGSTOP)
    url = f"redis://127.0.0.1:{port}/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": url}}
    monkeypatch.setattr(live.Cache, "silent_until", 0.0)
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    monkeypatch.setattr(app.conf, "broker_write_url", url)
    yield
    if redis.child.process:
        redis.child.process.send_signal(signal.SIGCONT)
    redis.stop()


@pytest.fixture
def confirmed_without_redis(
    ill_redis: None, aws: Nova, transactional_db: None, client_of: Callable[[User], Client], responder: User
) -> tuple[Run, float]:
    """A run that was confirmed on the page while Redis was ill, and how long the click took."""
    environment = environments.default()
    plan = planning.draft(actions["restart-api"](), environment, "nova-api", {}, by=responder, incident=None)
    planning.resolve(plan)
    client = client_of(responder)
    began = time.monotonic()
    answer = client.post(reverse("runbook:confirm", args=[plan.pk]), {"reason": "a rehearsal"})
    took_s = time.monotonic() - began
    assert answer.status_code == 302, answer.content
    return Run.objects.get(), took_s


@pytest.mark.long(8)
def test_a_click_without_redis_is_answered_at_once_and_a_workers_own_sweep_begins_the_run(
    confirmed_without_redis: tuple[Run, float], aws: Nova, start_worker: Callable[[], Child]
) -> None:
    run, took_s = confirmed_without_redis
    assert (run.status, took_s < 1.5) == (RunStatus.QUEUED, True), took_s
    start_worker()
    until(lambda: over(run))
    assert run.status == RunStatus.SUCCEEDED, run.outcome
    assert [effect["operation"] for effect in aws.effects()] == ["UpdateService"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("moment", "intents"), [("begin_step", 0), ("_intend", 1)])
def test_nothing_is_sent_when_the_database_is_lost_around_the_intent(
    aws: Nova, responder: User, monkeypatch: pytest.MonkeyPatch, moment: str, intents: int
) -> None:
    run = requested(responder)
    assert engine.advance(run.pk) is not None
    with monkeypatch.context() as patch:
        where = transitions if moment == "begin_step" else engine
        patch.setattr(where, moment, _and_then_lose_the_database(getattr(where, moment)))
        engine.advance(run.pk)
    assert (aws.effects(), Call.objects.filter(step__run=run).count()) == ([], intents)
    assert carry_on(run, most=6).steps.get(key="deploy").state == "done"
    assert [effect["operation"] for effect in aws.effects()] == ["UpdateService"]
    assert chain.verify().broken_seq is None


def _and_then_lose_the_database(call: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        chosen = connection.settings_dict
        with psycopg.connect(host=chosen["HOST"], user=chosen["USER"], dbname=chosen["NAME"], autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        return result

    return called


class Skewed(datetime):
    """A machine's clock that is wrong by `skew`."""

    skew = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + cls.skew


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_worker_whose_clock_is_wrong_waits_as_long_as_the_others(
    bell: tower.Bell, run_of: RunOf, responder: User, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    monkeypatch.setattr(tower.Ring, "observe_for_s", 120)
    monkeypatch.setattr(Skewed, "skew", timedelta(minutes=minutes))
    monkeypatch.setattr(leases, "datetime", Skewed)
    bell.troubles = ["error-before"]
    run = carry_on(run_of(responder), most=6)
    assert run.status == RunStatus.RUNNING, run.outcome
    call = Call.objects.get(step__run=run)
    Call.objects.filter(pk=call.pk).update(signed_at=call.signed_at - timedelta(seconds=121))
    assert carry_on(run).status == RunStatus.UNKNOWN
