"""A measure that is not known stays blank with its reason; it never becomes zero."""

from datetime import UTC, datetime, timedelta

import pytest

from incidents.measures import Known, Moments, duration, measures

T = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def moments(**known: datetime | None) -> Moments:
    names = ("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")
    return Moments(**{name: known.get(name) for name in names})


def test_it_measures_between_recorded_moments() -> None:
    found = measures(moments(started_at=T, detected_at=T + timedelta(minutes=5)))
    assert (found[0].known, found[0].seconds, found[0].text) == (Known.RECORDED, 300, "5 min")


def test_what_has_not_happened_is_pending() -> None:
    assert [measure.known for measure in measures(moments(started_at=T))] == [Known.PENDING] * 5


def test_what_never_happened_does_not_apply_once_it_is_over() -> None:
    found = measures(moments(started_at=T, detected_at=T, resolved_at=T + timedelta(hours=1)))
    assert found[2].known == Known.NOT_APPLICABLE
    assert found[2].seconds is None
    assert found[2].text == "Not applicable"


@pytest.mark.parametrize("started_at", [None, T + timedelta(minutes=1)])
def test_an_unknown_or_later_start_is_invalid_and_never_zero(started_at: datetime | None) -> None:
    found = measures(moments(started_at=started_at, detected_at=T))
    assert (found[0].known, found[0].seconds, found[0].text) == (Known.INVALID, None, "Invalid")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "Invalid"),
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86400, "1 d"),
    ],
)
def test_it_says_a_duration_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
