"""What the template tags write: states, times, lengths of time, sparklines with their gaps, the navigation."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone

from dashboard import sparkline
from dashboard.templatetags import nova


def written(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


def test_a_pill_says_its_state_in_words() -> None:
    html = nova.state_pill("crit")
    assert "Critical" in html
    assert 'class="pill pill-crit"' in html
    assert "#stop" in html


def test_a_pill_escapes_the_word_it_is_given() -> None:
    assert "<b>" not in nova.state_pill("ok", "<b>")


def test_a_state_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="sad"):
        nova.state_pill("sad")


def test_tags_need_no_load() -> None:
    assert "Running" in written("{% state_pill 'run' %}")


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (None, nova.NONE),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
        (86400, "1 d"),
        (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
    ],
)
def test_a_length_of_time_has_at_most_two_units(length: float | None, words: str) -> None:
    assert nova.duration(length) == words


@pytest.mark.parametrize(
    ("value", "words"), [(None, nova.NONE), (93.4, "93.4"), (0, "0"), (12345.6, "12,346"), (0.0213, "0.0213")]
)
def test_a_number_has_three_significant_digits(value: float | None, words: str) -> None:
    assert nova.number(value) == words


def test_a_time_today_is_told_to_the_second_and_in_utc() -> None:
    at = timezone.now().replace(microsecond=0)
    assert f">{at:%H:%M:%S} UTC</time>" in nova.utc(at)
    assert f'datetime="{at:%Y-%m-%dT%H:%M:%SZ}"' in nova.utc(at)


def test_a_time_of_another_zone_is_turned_into_utc() -> None:
    at = datetime(2021, 3, 1, 1, 30, tzinfo=UTC).astimezone(timezone.get_fixed_timezone(-120))
    assert ">1 Mar 2021 01:30 UTC</time>" in nova.utc(at)


def test_the_clock_of_a_column_leaves_the_zone_to_its_heading() -> None:
    assert "UTC</time>" not in nova.clock(timezone.now())


@pytest.mark.parametrize("write", [nova.utc, nova.clock, nova.age])
def test_an_unknown_time_is_a_dash(write: object) -> None:
    assert callable(write)
    assert write(None) == nova.NONE


def test_an_age_stands_without_javascript() -> None:
    html = nova.age(timezone.now() - timedelta(minutes=14, seconds=5))
    assert ">14 min ago</relative-time>" in html


def test_an_age_in_the_future_says_so() -> None:
    assert ">in 4 min</relative-time>" in nova.age(timezone.now() + timedelta(minutes=4, seconds=30))


def test_the_time_between_needs_both_ends() -> None:
    now = timezone.now()
    assert nova.until(now, now + timedelta(seconds=5)) == timedelta(seconds=5)
    assert nova.until(now, None) is None


def test_a_sparkline_is_well_formed_and_labelled() -> None:
    svg = ElementTree.fromstring(nova.sparkline([1.0, 2.0, 4.0], 'CPU <in> "%"'))
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == 'CPU <in> "%": now 4, lowest 1, highest 4'
    assert svg.get("style") is None


def test_a_gap_stays_a_gap() -> None:
    shape = sparkline.draw([1, 2, None, None, 3, 1])
    assert shape.line.count("M") == 2
    assert shape.gaps == [(1, 3)]


def test_missing_ends_are_gaps_too() -> None:
    assert sparkline.draw([None, None, 5, 5, None]).gaps == [(0, 2), (3, 1)]


def test_a_lonely_value_is_a_dot() -> None:
    shape = sparkline.draw([None, 5, None])
    assert shape.line == "M1 2h.01"


@pytest.mark.parametrize("values", [[], [None], [None, None, None]])
def test_without_values_there_is_no_line(values: list[float | None]) -> None:
    assert sparkline.draw(values).line == ""
    assert sparkline.sentence(values, "CPU") == "CPU: no data"


def test_the_highest_value_is_at_the_top_and_zero_at_the_foot() -> None:
    shape = sparkline.draw([0, 10])
    assert shape.line == f"M0 {sparkline.HEIGHT - sparkline.TOP}L1 {sparkline.TOP}"


def test_the_sentence_tells_what_is_missing() -> None:
    assert sparkline.sentence([3, None], "CPU") == "CPU: no data now, lowest 3, highest 3, 1 of 2 values missing"


def test_sixty_points_stay_small() -> None:
    assert len(nova.sparkline([50 + at % 7 for at in range(60)], "CPU")) < 2000


def test_the_navigation_marks_where_one_is() -> None:
    request = RequestFactory().get("/runs/7/")
    assert 'aria-current="page"' in nova.nav_link({"request": request}, "runbook:runs", "Runs", "play", "r")
    assert "aria-current" not in nova.nav_link({"request": request}, "runbook:audit", "Audit", "history", "a")


def test_the_navigation_leaves_out_what_is_not_installed() -> None:
    assert nova.nav_link({}, "nowhere:at-all", "Nothing", "play", "n") == ""


def test_the_navigation_shows_a_count_that_is_not_zero() -> None:
    assert '<span class="count">3</span>' in nova.nav_link({}, "runbook:runs", "Runs", "play", "r", 3)
    assert "count" not in nova.nav_link({}, "runbook:runs", "Runs", "play", "r", 0)
