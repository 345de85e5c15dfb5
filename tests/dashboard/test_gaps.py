"""The search for missed ledgers: it finds what is missing, asks nothing twice, and takes no silence for an answer."""

import psycopg
import pytest

from dashboard import gaps, replay
from novaops.cloud import nova_db
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment
from tests.actions.conftest import reading
from tests.sandbox.conftest import eventually
from tests.servers import Nova

__all__ = ["reading"]


def cursor_of(environment: Environment) -> int:
    return nova_db.processed_ledger(environment.database.dsn, environment.events.cursor_table)


@pytest.fixture
def database(reading: Nova, environment: Environment):
    """Nova's database once the past that the tests look at is whole: it holds events, and earlier tests lost none."""
    oldest = "SELECT coalesce(min(ledger), 2147483647) FROM contract_events WHERE ledger > %s"
    with psycopg.connect(reading.postgresql.dsn("nova"), autocommit=True) as connection:

        def whole() -> bool:
            cursor = cursor_of(environment)
            begins = connection.execute(oldest, [cursor - 300]).fetchone()[0]
            return begins < cursor - 30 and not gaps.search(environment, cursor - 30, [], [])[0]

        eventually(whole, bool)
        yield connection


def test_lost_rows_are_a_gap_until_they_are_back_and_quiet_silences_are_asked_about_once(
    database, environment: Environment, monkeypatch: pytest.MonkeyPatch
):
    cursor = cursor_of(environment)
    first, last = cursor - 15, cursor - 4
    kept = "CREATE TEMP TABLE kept AS SELECT * FROM contract_events WHERE ledger BETWEEN %s AND %s"
    database.execute(kept, [first, last])
    database.execute("DELETE FROM contract_events WHERE ledger BETWEEN %s AND %s", [first, last])
    found, quiet = gaps.search(environment, cursor - 300, [], [])
    (gap,) = [gap for gap in found if gap.first >= first]
    assert first <= gap.first <= gap.last
    assert gap.known_to == ("primary", "backup")
    database.execute("INSERT INTO contract_events SELECT * FROM kept ON CONFLICT DO NOTHING")
    found, quiet = gaps.search(environment, cursor - 300, [(gap.first, gap.last)], quiet)
    assert not [one for one in found if one.first >= first]
    asked: list[tuple[int, int]] = []
    count = replay.count

    def spied(place: Environment, which: str, begins: int, ends: int, **more: float) -> replay.Count:
        asked.append((begins, ends))
        return count(place, which, begins, ends, **more)

    monkeypatch.setattr(replay, "count", spied)
    gaps.search(environment, cursor - 300, [], quiet)
    assert not set(asked) & set(quiet)


def test_where_no_rpc_can_be_asked_nothing_is_called_quiet(database, environment: Environment):
    nowhere = environment.events.model_copy(update={"rpc_url": "http://127.0.0.1:9", "rpc_backup_url": None})
    cursor = cursor_of(environment)
    database.execute("DELETE FROM contract_events WHERE ledger BETWEEN %s AND %s", [cursor - 15, cursor - 4])
    with pytest.raises(OutsideError, match="did not answer"):
        gaps.search(environment.model_copy(update={"events": nowhere}), cursor - 300, [], [])


@pytest.mark.parametrize(
    ("quiet", "from_ledger"),
    [([], 100), ([(100, 120)], 121), ([(100, 200)], 201), ([(90, 150)], 151), ([(101, 120)], 100), ([(50, 60)], 100)],
)
def test_a_silence_is_asked_about_from_where_it_is_not_known(quiet, from_ledger: int):
    assert gaps._behind(quiet, 100, 200) == from_ledger
