"""Of a log group the newest lines are read, however many there are and however long ago they were written."""

from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import example, given, settings
from hypothesis import strategies as st

from novaops.cloud.logs import STRETCH_LINES, Line, newest_by

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
START = NOW - timedelta(minutes=15)


def whole_ms(moment: datetime) -> datetime:
    """As CloudWatch keeps and takes times."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def lines(count: int, ago_s: float, within_s: float) -> list[Line]:
    """So many lines at equal distances, the newest `ago_s` before now."""
    newest = NOW - timedelta(seconds=ago_s)
    apart = timedelta(seconds=within_s) / count
    return [Line(at=whole_ms(newest - n * apart), stream="tests", message=f"line {n}") for n in reversed(range(count))]


@settings(deadline=None)
@example(count=1000, ago_s=63, within_s=3)
@given(count=st.integers(1, 4000), ago_s=st.floats(0, 600), within_s=st.floats(3, 290))
def test_the_newest_lines_are_found_and_none_among_them_is_left_out(count: int, ago_s: float, within_s: float) -> None:
    written = lines(count, ago_s, within_s)

    def ask(since: datetime, until: datetime) -> list[Line]:
        within = (line for line in written if whole_ms(since) <= line.at <= whole_ms(until))
        return [*islice(within, STRETCH_LINES)]

    found = newest_by(ask, start=START, end=NOW, limit=50)
    assert found
    assert found == written[-len(found) :]
