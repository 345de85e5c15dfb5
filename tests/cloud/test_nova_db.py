"""Nova's own database, asked directly."""

import os
import socket
from contextlib import ExitStack, suppress
from time import monotonic

import psycopg
import pytest

from novaops.cloud import nova_db
from novaops.cloud.errors import OutsideError
from tests.sandbox.conftest import eventually


@pytest.fixture
def dsn(nova_database) -> str:
    return os.environ["NOVA_DATABASE_URL"]


def test_it_counts_the_clients_by_state_without_itself(dsn):
    def counted() -> tuple[int, int]:
        before = nova_db.activity(dsn)
        with psycopg.connect(dsn, autocommit=True), psycopg.connect(dsn) as busy:
            busy.execute("SELECT 1")
            found = nova_db.activity(dsn)
        assert 0 < found.limit < 60
        more_busy = found.by_state["idle in transaction"] - before.by_state.get("idle in transaction", 0)
        return more_busy, found.connections - before.connections

    # Nova's own servers come and go meanwhile, where an earlier test has left them running.
    eventually(counted, lambda more: more == (1, 2), timeout_s=10)


def test_a_full_server_is_told_apart_from_a_dead_one(dsn):
    with ExitStack() as held:
        with suppress(psycopg.OperationalError):
            while True:
                held.enter_context(psycopg.connect(dsn))
        with pytest.raises(nova_db.TooManyConnectionsError, match="too many connections"):
            nova_db.activity(dsn)


def test_the_cursor_is_the_processors_not_the_newest_events(dsn, nova_database):
    nova_database.execute("DROP TABLE IF EXISTS another_cursor")
    nova_database.execute("CREATE TABLE another_cursor (ledger bigint)")
    with pytest.raises(OutsideError, match="no cursor in another_cursor yet"):
        nova_db.processed_ledger(dsn, "another_cursor")
    nova_database.execute("INSERT INTO another_cursor VALUES (4711)")
    assert nova_db.processed_ledger(dsn, "another_cursor") == 4711


def test_a_missing_table_is_a_sentence_without_the_query(dsn):
    with pytest.raises(OutsideError, match=r"^Nova's database answered with error 42P01$"):
        nova_db.processed_ledger(dsn, "no_such; DROP TABLE users")


def test_nothing_can_be_written(dsn, nova_database):
    with nova_db.cursor(dsn) as cursor, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        cursor.execute("DELETE FROM users")


@pytest.mark.parametrize("address", ["postgresql://nova:hunter2@127.0.0.1:9/nova", "postgresql://nova:hunter2@[/nova"])
def test_no_sentence_holds_a_secret(address):
    with pytest.raises(OutsideError) as failure:
        nova_db.activity(address)
    assert "hunter2" not in str(failure.value)


def test_one_that_hangs_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server:
        started = monotonic()
        with pytest.raises(OutsideError, match="could not be reached"):
            nova_db.activity(f"postgresql://nova@127.0.0.1:{server.getsockname()[1]}/nova")
    assert monotonic() - started < 4


def test_without_an_address_it_says_so():
    with pytest.raises(OutsideError, match="No connection to Nova's database is configured"):
        nova_db.activity("")
