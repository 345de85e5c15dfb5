"""What the processor stored: silences are the stretches without events, stored events are found by their ids."""

import os
from itertools import pairwise
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novaops.cloud import nova_events

EVENT = "INSERT INTO contract_events VALUES (%s, %s, 'C', '[]', 'v', 'h', now())"


def store(database: "psycopg.Connection[Any]", ledgers: list[int]) -> None:
    database.execute("TRUNCATE contract_events")
    with database.cursor() as writer:
        writer.executemany(EVENT, [(f"{number}-{ledger}", ledger) for number, ledger in enumerate(ledgers)])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(10, 60), max_size=25), st.integers(0, 8))
def test_silences_are_the_stretches_without_events(nova_database: Any, ledgers: list[int], longer_than: int) -> None:
    store(nova_database, ledgers)
    eventful = [*sorted({ledger for ledger in ledgers if 15 <= ledger <= 50}), 51]
    expected = {(a + 1, b - 1) for a, b in pairwise(eventful) if b - a - 2 >= longer_than}
    dsn = os.environ["NOVA_DATABASE_URL"]
    found = nova_events.silences(dsn, "contract_events", 15, 50, longer_than=longer_than, most=99)
    assert set(found) == expected
    assert [b - a for a, b in found] == sorted((b - a for a, b in found), reverse=True)
    assert nova_events.silences(dsn, "contract_events", 15, 50, longer_than=longer_than, most=1) == found[:1]


def test_stored_events_are_found_by_their_ids(nova_database: Any) -> None:
    store(nova_database, [20, 21])
    dsn = os.environ["NOVA_DATABASE_URL"]
    assert nova_events.stored(dsn, "contract_events", ["0-20", "1-21", "2-22"]) == {"0-20", "1-21"}
    assert nova_events.stored(dsn, "contract_events", []) == set()
