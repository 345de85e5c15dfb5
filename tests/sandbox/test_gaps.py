"""The gap that a scenario makes in what the event processor has read."""

from typing import Any

import psycopg
import pytest

from novaops.sandbox import gaps

# Far from the ledgers that an event processor of another test may still write.
BEGAN = 10**9
READ_TO = BEGAN + 100


@pytest.fixture
def read(nova_database: "psycopg.Connection[Any]") -> "psycopg.Connection[Any]":
    """Nova's database where the processor has read a hundred ledgers and found nothing in them yet."""
    nova_database.execute("INSERT INTO event_ranges (first, last) VALUES (%s, %s)", [BEGAN, READ_TO])
    return nova_database


def happens(database: "psycopg.Connection[Any]", *ledgers: int) -> None:
    for ledger in ledgers:
        database.execute(
            "INSERT INTO contract_events (event_id, ledger, contract_id, value, tx_hash, closed_at, topic) "
            "VALUES (%s, %s, 'C', '{}', 'f', now(), '{}')",
            [f"event-{ledger}", ledger],
        )


def ledgers(database: "psycopg.Connection[Any]") -> list[int]:
    rows = database.execute("SELECT ledger FROM contract_events WHERE ledger >= %s ORDER BY ledger", [BEGAN])
    return [int(row[0]) for row in rows]


def test_events_of_the_gap_are_gone_and_those_around_it_are_kept(read):
    first, last = gaps.behind(READ_TO)
    happens(read, first - 1, first, last, last + 1)
    assert gaps.make() == (first, last)
    assert ledgers(read) == [first - 1, last + 1]
    assert gaps.is_open((first, last))


def test_there_is_none_before_an_event_is_stored_that_shows_where_it_begins(read):
    first, last = gaps.behind(READ_TO)
    assert gaps.make() is None
    happens(read, first, last)
    assert gaps.make() is None
    assert ledgers(read) == [first, last]
