"""Samples: written in bulk, corrected by late points, kept in partitions that come and go."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from dashboard import partitions, samples, tasks
from dashboard.models import Latest, Sample
from dashboard.partitions import FIVE_MINUTES, HOURS, SAMPLES
from dashboard.samples import Key, Value

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def series_id(name: str = "cpu") -> int:
    key = Key("api", name)
    return samples.series_of("sandbox", {key: "%"})[key].pk


@pytest.mark.django_db
def test_a_series_is_made_once():
    assert series_id() == series_id()
    assert series_id("memory") != series_id()


@pytest.mark.django_db
def test_late_points_correct_and_the_latest_is_the_newest():
    cpu = series_id()
    assert samples.write({(cpu, NOON): 50.0, (cpu, NOON + MINUTE): 60.0}, NOON) == 2
    samples.write({(cpu, NOON): 55.0}, NOON)
    assert samples.window([cpu], NOON) == {cpu: [Value(NOON, 55.0), Value(NOON + MINUTE, 60.0)]}
    latest = Latest.objects.get()
    assert (latest.at, latest.value) == (NOON + MINUTE, 60.0)


@pytest.mark.django_db
def test_points_on_both_sides_of_midnight_find_their_partitions():
    cpu = series_id()
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    samples.write({(cpu, midnight - MINUTE): 1.0, (cpu, midnight): 2.0}, midnight)
    assert set(partitions.existing(SAMPLES)) >= {"dashboard_sample_20261123", "dashboard_sample_20261124"}
    assert Sample.objects.filter(series=cpu).count() == 2


@pytest.mark.django_db
def test_points_that_are_too_old_are_left_out():
    cpu = series_id()
    before = partitions.existing(SAMPLES)
    assert samples.write({(cpu, NOON - timedelta(days=15)): 1.0}, NOON) == 0
    assert partitions.existing(SAMPLES) == before


@pytest.mark.django_db
@pytest.mark.parametrize(("minutes", "slopes"), [(59, []), (60, [pytest.approx(-0.1)])])
def test_a_slope_is_fitted_over_an_hour_at_least(minutes: int, slopes: list[float]):
    cpu = series_id()
    samples.write({(cpu, NOON - MINUTE * n): 500.0 + 6 * n for n in range(minutes + 1)}, NOON)
    assert list(samples.slopes([cpu], NOON - timedelta(hours=24)).values()) == slopes


@pytest.mark.django_db
def test_a_sparkline_averages_and_keeps_gaps():
    cpu = series_id()
    samples.write({(cpu, NOON - MINUTE * n): float(n) for n in (1, 2, 3, 30)}, NOON)
    line = samples.sparklines([cpu], NOON)[cpu]
    assert len(line) == 60
    assert line[-2:] == [2.0, None]
    assert [index for index, value in enumerate(line) if value is not None] == [49, 58]


@pytest.fixture
def _no_partitions(transactional_db: None) -> None:
    """Whatever other tests of this worker left behind is gone."""
    partitions.drop_old(SAMPLES, NOON + timedelta(days=1000))


@pytest.mark.usefixtures("_no_partitions")
def test_old_partitions_are_dropped_whole_and_only_they():
    cpu = series_id()
    samples.write({(cpu, NOON): 1.0, (cpu, NOON - timedelta(days=1)): 2.0}, NOON)
    day_two_weeks_later = datetime(2026, 12, 7, tzinfo=UTC)
    assert partitions.drop_old(SAMPLES, day_two_weeks_later) == ["dashboard_sample_20261122"]
    assert [sample.value for sample in Sample.objects.all()] == [1.0]
    partitions.drop_old(SAMPLES, NOON + timedelta(days=100))


@pytest.mark.usefixtures("_no_partitions")
def test_a_partition_left_detached_by_a_killed_worker_is_dropped_by_the_next():
    partitions.ensure(SAMPLES, [NOON])
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE dashboard_sample DETACH PARTITION dashboard_sample_20261123")
    assert partitions.drop_old(SAMPLES, NOON + timedelta(days=30)) == ["dashboard_sample_20261123"]


@pytest.mark.usefixtures("_no_partitions")
def test_dropping_waits_for_a_long_reader_and_blocks_none():
    samples.write({(series_id(), NOON): 1.0}, NOON)
    later = NOON + timedelta(days=30)
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    with psycopg.connect(**known) as reader, psycopg.connect(**known) as other:
        reader.execute("SELECT count(*) FROM dashboard_sample")
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '300ms'")
            partitions.try_drop_old(SAMPLES, later)
            cursor.execute("RESET statement_timeout")
        other.execute("SET lock_timeout = '100ms'")
        assert other.execute("SELECT count(*) FROM dashboard_sample WHERE at > now()").fetchone() == (0,)
        assert set(partitions.existing(SAMPLES).values()) == {"pending"}
    assert partitions.drop_old(SAMPLES, later) == ["dashboard_sample_20261123"]


def test_rollups_are_kept_for_thirteen_months():
    assert SAMPLES.keep == timedelta(days=14)
    assert all(table.keep >= timedelta(days=395) for table in (FIVE_MINUTES, HOURS))


def test_months_and_days_end_where_the_next_begins():
    december = datetime(2026, 12, 1, tzinfo=UTC)
    assert HOURS.start(NOON) == datetime(2026, 11, 1, tzinfo=UTC)
    assert HOURS.end(HOURS.start(NOON)) == HOURS.ends("dashboard_hour_202611") == december
    assert HOURS.end(december) == datetime(2027, 1, 1, tzinfo=UTC)
    assert SAMPLES.ends("dashboard_sample_20261130") == december


@pytest.mark.django_db(transaction=True)
def test_keeping_samples_makes_partitions_ahead_of_their_day():
    tasks.keep_samples()
    today = datetime.now(UTC)
    names = partitions.existing(SAMPLES)
    for days in (-1, 0, 1, 3):
        assert f"dashboard_sample_{today + timedelta(days=days):%Y%m%d}" in names
