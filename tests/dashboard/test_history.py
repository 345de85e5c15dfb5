"""The past of series: what may be asked for, at which resolution it is read, and what its columns hold."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import history, rollups, samples
from dashboard.history import BadStretchError
from dashboard.samples import Key

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def asked(**params: str) -> history.Stretch:
    return history.asked({name.rstrip("_"): value for name, value in params.items()}, NOON, 60)


@pytest.mark.parametrize(
    ("params", "resolution", "step_s"),
    [
        ({}, "raw", 60),
        ({"from_": "-6h"}, "raw", 60),
        ({"from_": "-24h"}, "raw", 60),
        ({"from_": "-7d"}, "5min", 300),
        ({"from_": "-30d"}, "hour", 3600),
        ({"from_": "-396d", "res": "hour", "to": "2026-01-30T00:00:00Z"}, None, None),
        ({"from_": "-2h", "res": "5min"}, "5min", 300),
        ({"from_": "2026-11-01T00:00:00Z", "to": "2026-11-01T06:00:00Z"}, "5min", 300),
        ({"from_": "1795420800", "to": "now"}, "raw", 60),
        ({"from_": "2026-11-23T10:00:00", "to": "2026-11-23T11:00:00+00:00"}, "raw", 60),
    ],
)
def test_the_resolution_follows_from_the_length(params, resolution, step_s):
    if resolution is None:
        with pytest.raises(BadStretchError, match="more than 3000 points"):
            asked(**params)
        return
    found = asked(**params)
    assert (found.resolution, found.step_s) == (resolution, step_s)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"from_": "yesterday"}, "Write a time as"),
        ({"from_": "-24x"}, "Write a time as"),
        ({"from_": "-²h"}, "Write a time as"),
        ({"from_": "-"}, "Write a time as"),
        ({"to": "2026-13-45T00:00:00Z"}, "Write a time as"),
        ({"to": "99999999999999"}, "Write a time as"),
        ({"from_": "0001-01-01T00:00:00+23:59"}, "Write a time as"),
        ({"from_": "2026-11-24T00:00:00Z"}, "begin before it ends"),
        ({"from_": "-401d"}, "at most 400 days"),
        ({"from_": "-99999d"}, "at most 400 days"),
        ({"res": "second"}, "res is one of raw, 5min, hour"),
        ({"from_": "-3d", "res": "raw"}, "more than 3000 points"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_sentence(params, says):
    with pytest.raises(BadStretchError, match=says):
        asked(**params)


WORDS = st.text(max_size=12) | st.from_regex(r"-?[0-9]{1,9}[mhd]?", fullmatch=True)


@given(st.fixed_dictionaries({"from": WORDS, "to": WORDS, "res": st.sampled_from(["", *history.RESOLUTIONS])}))
def test_whatever_is_asked_for_is_bounded_or_refused(params):
    try:
        found = history.asked(params, NOON, 5)
    except BadStretchError:
        return
    assert 0 < found.bins <= history.MOST_POINTS + 1
    assert found.until <= NOON


@pytest.mark.django_db
def test_columns_average_into_bins_and_keep_gaps():
    cpu, memory = (
        samples.series_of("sandbox", {Key("api", name): "%"})[Key("api", name)].pk for name in ("cpu", "memory")
    )
    samples.write({(cpu, NOON - MINUTE * n): float(n) for n in (1, 2, 4)}, NOON)
    found = history.columns([cpu, memory], history.stretch(NOON - 5 * MINUTE, NOON, "raw", 60))
    assert found == {cpu: [None, 4.0, None, 2.0, 1.0], memory: [None] * 5}


@pytest.mark.django_db
@pytest.mark.parametrize(("resolution", "column"), [("5min", [2.0, 7.0]), ("hour", [4.5])])
def test_columns_of_rollups_are_those_of_the_samples(resolution, column):
    cpu = samples.series_of("sandbox", {Key("api", "cpu"): "%"})[Key("api", "cpu")].pk
    samples.write({(cpu, NOON + MINUTE * n): float(n) for n in range(10)}, NOON)
    rollups.roll_up(NOON + timedelta(hours=1))
    found = history.columns([cpu], history.stretch(NOON, NOON + 10 * MINUTE, resolution, 60))
    assert found[cpu][: len(column)] == column
