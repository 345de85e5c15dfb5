"""What a record makes of what the steps of a restore found."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backups.models import Restore
from backups.restore_records import _measure

ASKED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def table(newest: float | None, lost: tuple[float, float] | None) -> dict[str, Any]:
    """A table whose newest row and lost rows came so many seconds before the asking."""

    def at(before_s: float | None) -> str | None:
        return None if before_s is None else (ASKED - timedelta(seconds=before_s)).isoformat()

    first, last = lost or (None, None)
    return {
        "name": "users",
        "newest_at": at(newest),
        "lost_rows": 3 if lost else 0,
        "lost_from": at(first),
        "lost_until": at(last),
    }


@pytest.mark.parametrize(
    ("tables", "rpo_s"),
    [
        pytest.param([table(60, (50, 10))], 50.0, id="from the newest restored row to the newest of production"),
        pytest.param([table(60, (50, -30))], 60.0, id="rows that came after the asking are no loss yet"),
        pytest.param([table(60, (-5, -30))], 0.0, id="rows that all came after the asking are none"),
        pytest.param([table(60, None)], 0.0, id="nothing is missing"),
        pytest.param([table(None, (40, 10))], 30.0, id="an empty table lacks all from its first row on"),
        pytest.param([table(60, (50, 10)), table(90, (80, 5))], 85.0, id="the table that lost most counts"),
    ],
)
def test_the_longest_time_of_which_rows_are_missing_is_the_rpo(tables: list[dict[str, Any]], rpo_s: float) -> None:
    record = Restore(asked_at=ASKED, proven_at=ASKED + timedelta(minutes=10))
    _measure(record, tables)
    assert (record.rpo_s, record.rto_s) == (rpo_s, 600.0)


def test_what_was_not_proven_is_not_measured() -> None:
    record = Restore(asked_at=ASKED)
    _measure(record, [table(60, (50, 10))])
    assert (record.rpo_s, record.rto_s) == (None, None)
    assert record.loss.startswith("3 rows of production are missing, from 2026-11-24 11:59:10 UTC")
