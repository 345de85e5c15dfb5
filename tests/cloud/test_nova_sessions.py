"""Who is connected to Nova's database, and ending exactly those who were meant."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from novaops import environment as environments
from novaops.cloud import nova_sessions
from novaops.cloud.errors import Fenced, NotSent
from novaops.sandbox.child import until
from tests.servers import Nova

pytestmark = pytest.mark.usefixtures("nova_database")


@pytest.fixture
def connect(nova: Nova) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """Opens connections under a name: `connect("api")`."""
    opened: list[psycopg.Connection[Any]] = []

    def make(name: str, role: str = "nova") -> psycopg.Connection[Any]:
        dsn = nova.postgresql.dsn("nova", role)
        opened.append(psycopg.connect(dsn, autocommit=True, application_name=name))
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


def session(connection: psycopg.Connection[Any]) -> nova_sessions.Session:
    found = nova_sessions.connections(os.environ["NOVA_DATABASE_URL"])
    return next(one for one in found if one.pid == connection.info.backend_pid)


def terminate(*sessions: list[Any]) -> dict[str, Any]:
    return nova_sessions.TERMINATE_BACKENDS(
        environments.default(), {"sessions": list(sessions)}, fence=lambda: True, run_id=1
    )


def test_it_tells_what_a_connection_does_without_the_data(connect: Callable[..., psycopg.Connection[Any]]) -> None:
    connection = connect("api")
    connection.execute("SELECT * FROM users WHERE email = 'ada@example.com'")
    found = session(connection)
    assert (found.state, found.user, found.application, found.protected) == ("idle", "nova", "api", "")
    assert found.query == "SELECT * FROM users WHERE email = ?"
    assert 0 <= found.in_state_s <= found.age_s


def test_its_own_and_a_superusers_are_protected(connect: Callable[..., psycopg.Connection[Any]]) -> None:
    assert session(connect("novaops")).protected == "NovaOps' own"
    assert session(connect("admin", role="postgres")).protected


def test_it_ends_exactly_the_connection_of_that_number_and_start(
    connect: Callable[..., psycopg.Connection[Any]],
) -> None:
    meant, other = connect("api"), connect("api")
    found = session(meant)
    assert found.started_at
    assert terminate([found.pid, found.started_at.isoformat()]) == {"terminated": [found.pid]}
    with pytest.raises(psycopg.OperationalError):
        meant.execute("SELECT 1")
    other.execute("SELECT 1")


def test_a_number_that_another_connection_got_since_is_not_hit(
    connect: Callable[..., psycopg.Connection[Any]],
) -> None:
    connection = connect("api")
    assert terminate([connection.info.backend_pid, "2026-01-01T00:00:00+00:00"]) == {"terminated": []}
    connection.execute("SELECT 1")


def test_a_protected_connection_is_not_hit_even_when_named(connect: Callable[..., psycopg.Connection[Any]]) -> None:
    own = connect("novaops")
    found = session(own)
    assert found.started_at
    assert terminate([found.pid, found.started_at.isoformat()]) == {"terminated": []}
    own.execute("SELECT 1")


def test_only_long_idle_ones_without_a_transaction_count_as_idle(
    connect: Callable[..., psycopg.Connection[Any]],
) -> None:
    idle, busy = connect("api"), connect("api")
    busy.execute("BEGIN")
    assert until(lambda: session(idle).in_state_s > 0.1 and session(busy).in_state_s > 0.1, 10)
    found = nova_sessions.connections(os.environ["NOVA_DATABASE_URL"])
    pids = {one.pid for one in nova_sessions.idle_longer_than(found, 0.1)}
    assert (idle.info.backend_pid in pids, busy.info.backend_pid in pids) == (True, False)
    assert nova_sessions.idle_longer_than(found, 3600) == []


def test_a_lost_lease_ends_nothing(connect: Callable[..., psycopg.Connection[Any]]) -> None:
    connection = connect("api")
    found = session(connection)
    assert found.started_at
    with pytest.raises(Fenced):
        nova_sessions.TERMINATE_BACKENDS(
            environments.default(),
            {"sessions": [[found.pid, found.started_at.isoformat()]]},
            fence=lambda: False,
            run_id=1,
        )
    connection.execute("SELECT 1")


def test_what_fails_to_connect_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_DATABASE_URL", "postgresql://nova@127.0.0.1:1/nova")
    with pytest.raises(NotSent, match="could not be reached"):
        terminate()
