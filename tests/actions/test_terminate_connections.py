"""Terminate database connections: those that were meant, and never one that must stay."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User

from dashboard.actions.terminate_connections import ConnectionsForm
from novaops.runbook.models import Plan, Run
from novaops.sandbox.child import until
from tests.servers import Nova

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("aws")]


@pytest.fixture
def api(nova_database: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the API server that nobody uses."""
    dsn = os.environ["NOVA_DATABASE_URL"]
    with psycopg.connect(dsn, autocommit=True, application_name="nova-api") as connection:
        yield connection


def test_it_ends_the_chosen_connection_only(
    run_through: Callable[..., Run],
    responder: User,
    api: psycopg.Connection[Any],
    nova_database: psycopg.Connection[Any],
) -> None:
    run = run_through(responder, "terminate-connections", pids=[api.info.backend_pid])
    assert (run.status, run.outcome) == ("succeeded", "Ended: 1 connection.")
    with pytest.raises(psycopg.OperationalError):
        api.execute("SELECT 1")
    nova_database.execute("SELECT 1")


def test_it_ends_all_that_are_idle_for_so_long(
    run_through: Callable[..., Run], responder: User, api: psycopg.Connection[Any]
) -> None:
    age = "SELECT extract(epoch FROM now() - state_change) FROM pg_stat_activity WHERE pid = %s"
    with psycopg.connect(os.environ["NOVA_DATABASE_URL"], autocommit=True) as watch:
        watch.execute("BEGIN")

        def idle_s() -> float:
            with psycopg.connect(os.environ["NOVA_DATABASE_URL"]) as asked:
                row = asked.execute(age, [api.info.backend_pid]).fetchone()
            return float(row[0]) if row else 0.0

        assert until(lambda: idle_s() > 1.1, 10)
        run = run_through(responder, "terminate-connections", idle_older_than_s=1)
        assert run.status == "succeeded", run.outcome
        with pytest.raises(psycopg.OperationalError):
            api.execute("SELECT 1")
        watch.execute("COMMIT")


def test_the_plan_names_who_would_be_ended(
    plan_of: Callable[..., Plan], responder: User, api: psycopg.Connection[Any]
) -> None:
    plan = plan_of(responder, "terminate-connections", pids=[api.info.backend_pid])
    assert f"{api.info.backend_pid} (nova, nova-api) may be ended." in [one["sentence"] for one in plan.prechecks]
    assert plan.calls[0]["operation"] == "postgresql:pg_terminate_backend"


def test_a_superusers_and_a_lost_connection_are_refused(
    nova: Nova, plan_of: Callable[..., Plan], responder: User, api: psycopg.Connection[Any]
) -> None:
    with psycopg.connect(nova.postgresql.dsn("nova")) as superuser:
        plan = plan_of(responder, "terminate-connections", pids=[superuser.info.backend_pid, 999_999])
    assert "Not connected any more: 999999." in plan.refusals
    assert any("is never ended here" in sentence for sentence in plan.refusals)


@pytest.mark.parametrize(
    ("pids", "idle", "valid"),
    [("12, 13", "", True), ("", "600", True), ("", "", False), ("12", "600", False), ("all", "", False)],
)
def test_the_form_asks_for_one_way(pids: str, idle: str, valid: bool) -> None:
    assert ConnectionsForm({"pids": pids, "idle_older_than_s": idle}).is_valid() is valid
