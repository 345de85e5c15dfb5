"""The time in each state always adds up to the whole time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from incidents.postmortem.states import gaps, seconds

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(hours=1)
minutes = st.integers(-30, 90).map(lambda at: START + timedelta(minutes=at))
stretches = st.lists(st.tuples(minutes, minutes), max_size=5)


@given(stretches, stretches, stretches)
def test_the_states_add_up_to_the_whole_time(crit: list, warn: list, unknown: list) -> None:  # type: ignore[type-arg]
    spent = seconds({"crit": crit, "warn": warn, "unknown": unknown}, START, END)
    assert sum(spent.values()) == 3600
    assert min(spent.values()) >= 0


def test_the_worst_holds_where_they_overlap() -> None:
    at = [START + timedelta(minutes=10 * n) for n in range(5)]
    spent = seconds({"crit": [(at[1], at[2])], "warn": [(at[0], at[3])], "unknown": [(at[2], at[4])]}, START, END)
    assert spent == {"crit": 600, "warn": 1200, "unknown": 600, "ok": 1200}


def test_what_was_not_seen_is_a_gap() -> None:
    step = timedelta(minutes=1)
    assert gaps([0, 2], START, step, 4) == [(START + step, START + 2 * step), (START + 3 * step, START + 4 * step)]


def test_years_without_a_value_are_one_gap() -> None:
    step = timedelta(minutes=1)
    assert gaps([], START, step, 14_000_000) == [(START, START + 14_000_000 * step)]
