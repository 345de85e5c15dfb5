"""Nova's own PostgreSQL, asked directly: who is connected, since when it runs, how far the event processor has come."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from novaops.cloud.errors import OutsideError

# How NovaOps calls itself on its connections to Nova's database.
OWN = "novaops"
CONNECT_TIMEOUT_S = 2
STATEMENT_TIMEOUT_MS = 2000
FULL = ("too many clients", "too many connections", "remaining connection slots")


class TooManyConnectionsError(OutsideError):
    """The server admits no more connections."""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Client connections by state, and how many the server admits to those who are not superusers."""

    by_state: dict[str, int]
    limit: int
    longest_query_s: float
    longest_idle_in_transaction_s: float

    @property
    def connections(self) -> int:
        return sum(self.by_state.values())


def activity(dsn: str) -> Activity:
    """The client connections now, NovaOps' own left out. Raises OutsideError with a sentence safe to show."""
    with cursor(dsn) as asked:
        asked.execute(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true), '0')::int"
        )
        (limit,) = _row(asked)
        asked.execute(
            "SELECT coalesce(state, 'unknown'), count(*),"
            " coalesce(max(extract(epoch FROM now() - query_start)) FILTER (WHERE state = 'active'), 0)::float8,"
            " coalesce(max(extract(epoch FROM now() - state_change))"
            " FILTER (WHERE state LIKE 'idle in transaction%'), 0)::float8"
            " FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1"
        )
        rows = asked.fetchall()
    return Activity(
        by_state={state: count for state, count, _, _ in rows},
        limit=limit,
        longest_query_s=max((active_s for _, _, active_s, _ in rows), default=0.0),
        longest_idle_in_transaction_s=max((idle_s for _, _, _, idle_s in rows), default=0.0),
    )


@dataclass(frozen=True, kw_only=True)
class Server:
    """Since when the server runs, by its own clock `now`, and the start of the oldest client connection to it.

    `read_only` while it is a replica or still recovering.
    """

    now: datetime
    read_only: bool
    started_at: datetime
    oldest_session_at: datetime | None


def server(dsn: str) -> Server:
    """Ask on a fresh connection. Raises OutsideError with a sentence safe to show."""
    with cursor(dsn) as asked:
        asked.execute(
            "SELECT clock_timestamp(), pg_is_in_recovery(), pg_postmaster_start_time(),"
            " (SELECT min(backend_start) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND datname = current_database() AND pid <> pg_backend_pid())"
        )
        now, read_only, started_at, oldest = _row(asked)
    return Server(now=now, read_only=read_only, started_at=started_at, oldest_session_at=oldest)


def processed_ledger(dsn: str, table: str) -> int:
    """The ledger of the event processor's stored cursor: the last it has finished, eventful or not (FACTS A5)."""
    with cursor(dsn) as asked:
        asked.execute(sql.SQL("SELECT max(ledger) FROM {}").format(sql.Identifier(table)))
        (ledger,) = _row(asked)
    if ledger is None:
        raise OutsideError(f"The event processor has stored no cursor in {table} yet")
    return int(ledger)


def _row(asked: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] = asked.fetchone() or (None,)
    return row


@contextmanager
def cursor(dsn: str) -> Iterator[psycopg.Cursor[Any]]:
    """A reading cursor on a fresh connection: one that is refused or full must be noticed, not hidden by a pool."""
    if not dsn:
        raise OutsideError("No connection to Nova's database is configured")
    try:
        with (
            psycopg.connect(
                dsn,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name=OWN,
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c default_transaction_read_only=on",
            ) as connection,
            connection.cursor(row_factory=tuple_row) as asked,
        ):
            yield asked
    except psycopg.Error as failure:
        if any(words in str(failure) for words in FULL):
            raise TooManyConnectionsError("Nova's database refuses connections: too many connections") from failure
        raise OutsideError(_sentence(failure), code=failure.sqlstate or "") from failure


def _sentence(failure: psycopg.Error) -> str:
    """What went wrong, in words of our own: the driver's message may hold host, user or query."""
    if isinstance(failure, psycopg.errors.QueryCanceled):
        return f"Nova's database did not answer within {STATEMENT_TIMEOUT_MS // 1000} s"
    if failure.sqlstate:
        return f"Nova's database answered with error {failure.sqlstate}"
    return "Nova's database could not be reached"
