"""The replay planner finds what was missed, whichever RPC knows of it, and counts without writing."""

from collections.abc import Iterator
from typing import Any

import pytest

from dashboard import replay
from novaops import environment as environments
from novaops.environment import Environment
from novaops.sandbox import ledgers, rpc
from tests.sandbox.http import serving

# Tables of its own: the simulated Nova of other tests may be writing to the processor's.
TABLES = {"cursor_table": "replayed_cursor", "events_table": "replayed_events"}
EVENT = "INSERT INTO replayed_events VALUES (%s, %s)"
HISTORY = 300


@pytest.fixture
def environment() -> Iterator[Environment]:
    """The declared one with two RPCs of the test's own."""
    rpc.reset()
    with serving(rpc.rpc_app("primary")) as primary, serving(rpc.rpc_app("backup")) as backup:
        declared = environments.default()
        events = declared.events.model_copy(update={"rpc_url": primary, "rpc_backup_url": backup, **TABLES})
        yield declared.model_copy(update={"events": events})
    rpc.reset()


@pytest.fixture
def cursor(nova_database: Any) -> int:
    """A database with every event of the last ledgers, up to the cursor."""
    nova_database.execute("DROP TABLE IF EXISTS replayed_events, replayed_cursor")
    nova_database.execute("CREATE TABLE replayed_events (event_id text PRIMARY KEY, ledger bigint)")
    nova_database.execute("CREATE TABLE replayed_cursor (ledger bigint)")
    newest = ledgers.network.latest()
    rows = [(str(place), place.ledger) for place in places(newest - HISTORY, newest)]
    with nova_database.cursor() as writer:
        writer.executemany(EVENT, rows)
    nova_database.execute("INSERT INTO replayed_cursor VALUES (%s)", [newest])
    return newest


def places(first: int, last: int) -> list[ledgers.Cursor]:
    return [place for ledger in range(first, last + 1) for place, _ in ledgers.network.events(ledger)]


def lose(database: Any, first: int, last: int) -> int:
    return int(database.execute("DELETE FROM replayed_events WHERE ledger BETWEEN %s AND %s", [first, last]).rowcount)


def test_a_silence_of_the_contract_is_no_gap(environment: Environment, cursor: int) -> None:
    found = replay.survey(environment, "primary")
    assert (found.gaps, found.suggestion) == ((), cursor + 1)


def test_the_first_missed_ledger_is_where_to_begin(environment: Environment, cursor: int, nova_database: Any) -> None:
    lose(nova_database, cursor - 60, cursor - 40)
    lose(nova_database, cursor - 30, cursor - 10)
    found = replay.survey(environment, "primary")
    first = min(place.ledger for place in places(cursor - 60, cursor - 40))
    assert found.suggestion == first
    assert [gap.known_to for gap in found.gaps] == [("primary", "backup")] * 2


def test_events_that_only_the_other_rpc_has_are_found(
    environment: Environment, cursor: int, nova_database: Any
) -> None:
    rpc.nodes["primary"].missing = [(cursor - 60, cursor - 40)]
    lose(nova_database, cursor - 60, cursor - 40)
    (gap,) = replay.survey(environment, "primary").gaps
    assert gap.known_to == ("backup",)
    rpc.nodes["backup"].down = True
    assert replay.survey(environment, "primary").gaps == ()


def test_it_counts_missing_against_duplicates_page_by_page(
    environment: Environment, cursor: int, nova_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose(nova_database, cursor - 60, cursor - 40)
    monkeypatch.setattr(replay, "PAGE_EVENTS", 7)
    counted = replay.count(environment, "primary", cursor - 200, cursor)
    assert counted.missing == lost
    assert counted.missing + counted.duplicates == len(places(cursor - 200, cursor))
    assert counted.counted_to == cursor
    assert counted.first_missing == min(place.ledger for place in places(cursor - 60, cursor - 40))


def test_a_count_that_takes_too_long_says_how_far_it_came(
    environment: Environment, cursor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "PAGE_EVENTS", 7)
    counted = replay.count(environment, "primary", cursor - 200, cursor, limit_s=0)
    assert cursor - 200 <= counted.counted_to < cursor
    assert counted.duplicates == len(places(cursor - 200, counted.counted_to)) > 0
