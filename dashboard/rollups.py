"""Samples rolled up to bins of five minutes and of an hour, hour by hour, wherever something came or was corrected."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from dashboard import partitions
from dashboard.models import Unrolled

HOUR = timedelta(hours=1)
TABLES = ((partitions.FIVE_MINUTES, timedelta(minutes=5)), (partitions.HOURS, HOUR))


def mark(times: Iterable[datetime]) -> None:
    """Remember that the hours of these times have to be rolled up; in the transaction that writes the samples.

    A row of its own for each write: nobody waits for anybody, and a mark is only ever taken away with its samples seen.
    """
    Unrolled.objects.bulk_create([Unrolled(hour=hour) for hour in sorted({_hour(at) for at in times})])


def roll_up(now: datetime) -> None:
    """Roll up every marked hour: of one that is not over, the bins that are. Each hour is a transaction of its own."""
    marked = Unrolled.objects.filter(hour__lte=now).values_list("hour", flat=True)
    for hour in marked.order_by("hour").distinct():
        with transaction.atomic():
            _roll_up(hour, now)


def _roll_up(hour: datetime, now: datetime) -> None:
    for table, _ in TABLES:
        partitions.ensure(table, [hour])
    over = hour + HOUR <= now
    if over and not Unrolled.objects.filter(hour=hour).delete()[0]:
        return
    for table, step in TABLES:
        _fill(table, step, hour, min(hour + HOUR, hour + (now - hour) // step * step))


def _fill(table: partitions.Table, step: timedelta, since: datetime, until: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table.name} (series_id, at, value, low, high, samples)"  # noqa: S608 - a constant
            " SELECT series_id, date_bin(%s::interval, at, %s), avg(value), min(value), max(value), count(*)"
            " FROM dashboard_sample WHERE at >= %s AND at < %s GROUP BY 1, 2 ORDER BY 1, 2"
            " ON CONFLICT (series_id, at) DO UPDATE SET value = excluded.value, low = excluded.low,"
            " high = excluded.high, samples = excluded.samples",
            [f"{step.total_seconds()} s", since, since, until],
        )


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
