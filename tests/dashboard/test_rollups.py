"""Rollups follow the samples: when they come, when they come late, and when two workers roll up at once."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from dashboard import rollups, samples
from dashboard.models import FiveMinutes, Hour, Unrolled
from dashboard.samples import Key

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def series_id() -> int:
    return samples.series_of("sandbox", {Key("api", "cpu"): "%"})[Key("api", "cpu")].pk


@pytest.mark.django_db
def test_rollups_follow_late_points():
    cpu = series_id()
    samples.write({(cpu, NOON + MINUTE * n): float(n) for n in range(10)}, NOON)
    rollups.roll_up(NOON + HOUR + MINUTE)
    assert [(row.at, row.value, row.low, row.high, row.samples) for row in FiveMinutes.objects.order_by("at")] == [
        (NOON, 2.0, 0.0, 4.0, 5),
        (NOON + 5 * MINUTE, 7.0, 5.0, 9.0, 5),
    ]
    samples.write({(cpu, NOON): 100.0}, NOON)
    rollups.roll_up(NOON + HOUR + MINUTE)
    assert Hour.objects.get().high == 100.0
    assert not Unrolled.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("late", [timedelta(hours=4), timedelta(days=2), timedelta(days=12)])
def test_a_point_corrects_its_bins_however_late_it_comes(late):
    cpu = series_id()
    samples.write({(cpu, NOON): 1.0, (cpu, NOON + MINUTE): 3.0}, NOON)
    rollups.roll_up(NOON + 2 * HOUR)
    samples.write({(cpu, NOON): 9.0, (cpu, NOON + 2 * MINUTE): 3.0}, NOON + late)
    rollups.roll_up(NOON + late)
    assert (Hour.objects.get().value, Hour.objects.get().samples) == (5.0, 3)
    assert FiveMinutes.objects.get().value == 5.0


@pytest.mark.django_db
def test_points_out_of_order_make_the_same_rollups():
    cpu = series_id()
    for n in (7, 2, 9, 0, 4):
        samples.write({(cpu, NOON + MINUTE * n): float(n)}, NOON + 10 * MINUTE)
        rollups.roll_up(NOON + 10 * MINUTE)
    assert [(row.value, row.samples) for row in FiveMinutes.objects.order_by("at")] == [(2.0, 3), (8.0, 2)]


@pytest.mark.django_db
def test_an_unfinished_bin_is_not_rolled_up_and_not_forgotten():
    cpu = series_id()
    samples.write({(cpu, NOON): 1.0}, NOON)
    rollups.roll_up(NOON + 4 * MINUTE)
    assert not FiveMinutes.objects.exists()
    rollups.roll_up(NOON + 5 * MINUTE)
    assert FiveMinutes.objects.count() == 1
    assert not Hour.objects.exists()
    rollups.roll_up(NOON + HOUR)
    assert Hour.objects.count() == 1


@pytest.mark.django_db
def test_rolling_up_catches_up_after_days_without_it():
    cpu = series_id()
    samples.write({(cpu, NOON - timedelta(days=2)): 3.0, (cpu, NOON): 4.0}, NOON)
    rollups.roll_up(NOON + 2 * HOUR)
    assert [row.value for row in Hour.objects.order_by("at")] == [3.0, 4.0]


@pytest.mark.django_db
def test_rollups_outlive_their_samples():
    cpu = series_id()
    samples.write({(cpu, NOON): 1.0}, NOON)
    rollups.roll_up(NOON + HOUR)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM dashboard_sample")
    rollups.mark([NOON])
    rollups.roll_up(NOON + HOUR)
    assert Hour.objects.get().value == 1.0


@pytest.mark.django_db(transaction=True)
def test_a_sample_that_is_committed_while_its_hour_is_rolled_up_is_not_lost():
    cpu = series_id()
    samples.write({(cpu, NOON): 1.0}, NOON)
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    with psycopg.connect(**known) as writer:
        writer.execute("INSERT INTO dashboard_sample VALUES (%s, %s, 5)", [cpu, NOON + MINUTE])
        writer.execute("INSERT INTO dashboard_unrolled (hour) VALUES (%s)", [NOON])
        rollups.roll_up(NOON + HOUR)
        writer.commit()
    assert Hour.objects.get().value == 1.0
    rollups.roll_up(NOON + HOUR)
    assert Hour.objects.get().value == 3.0
