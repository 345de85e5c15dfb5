"""Samples in bulk: written in one statement a round, read back as windows and sparklines."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from dashboard import partitions, rollups
from dashboard.models import Series

SPARK_POINTS = 60
SPARK_SPAN = timedelta(hours=3)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Key(NamedTuple):
    """A series within an environment; `resource` is the node where a service has several."""

    service: str
    name: str
    resource: str = ""

    @property
    def label(self) -> str:
        """The key of the value in a reading: `name`, or `name/resource`."""
        return f"{self.name}/{self.resource}" if self.resource else self.name


class Value(NamedTuple):
    """A value and the moment it is of."""

    at: datetime
    value: float


def series_of(environment: str, units: Mapping[Key, str]) -> dict[Key, Series]:
    """The series of these keys, made where they are new. `units` gives each its unit."""
    known = _known(environment)
    new = [
        Series(environment=environment, service=key.service, name=key.name, resource=key.resource, unit=unit)
        for key, unit in units.items()
        if key not in known
    ]
    if new:
        Series.objects.bulk_create(new, ignore_conflicts=True)
        known = _known(environment)
    return {key: known[key] for key in units}


def _known(environment: str) -> dict[Key, Series]:
    rows = Series.objects.filter(environment=environment)
    return {Key(row.service, row.name, row.resource): row for row in rows}


def write(points: Mapping[tuple[int, datetime], float], now: datetime) -> int:
    """Store points, keyed by series id and time, correcting those already there. Too old ones are left out."""
    table = partitions.SAMPLES
    oldest = table.start(now - table.keep) + timedelta(days=1)
    kept = {key: value for key, value in points.items() if key[1] >= oldest}
    if not kept:
        return 0
    partitions.ensure(table, {at for _, at in kept})
    columns: list[Any] = [[key[0] for key in kept], [key[1] for key in kept], list(kept.values())]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dashboard_sample (series_id, at, value)"
            " SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::float8[])"
            " ON CONFLICT (series_id, at) DO UPDATE SET value = excluded.value"
            " WHERE dashboard_sample.value IS DISTINCT FROM excluded.value",
            columns,
        )
        cursor.execute(
            "INSERT INTO dashboard_latest (series_id, at, value)"
            " SELECT DISTINCT ON (s) s, a, v"
            " FROM unnest(%s::bigint[], %s::timestamptz[], %s::float8[]) AS new (s, a, v) ORDER BY s, a DESC"
            " ON CONFLICT (series_id) DO UPDATE SET at = excluded.at, value = excluded.value"
            " WHERE dashboard_latest.at <= excluded.at",
            columns,
        )
    rollups.mark({at for _, at in kept})
    return len(kept)


def window(series_ids: Iterable[int], since: datetime) -> dict[int, list[Value]]:
    """The samples of each series from `since` on, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT series_id, at, value FROM dashboard_sample WHERE series_id = ANY(%s) AND at >= %s ORDER BY 1, 2",
            [list(series_ids), since],
        )
        found: dict[int, list[Value]] = {}
        for series_id, at, value in cursor.fetchall():
            found.setdefault(series_id, []).append(Value(at, value))
    return found


def slopes(series_ids: Iterable[int], since: datetime) -> dict[int, float]:
    """By how much a second each series has changed since then, fitted over all samples; only where an hour is known."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT series_id, regr_slope(value, extract(epoch FROM at)) FROM dashboard_sample"
            " WHERE series_id = ANY(%s) AND at >= %s GROUP BY 1 HAVING max(at) - min(at) >= interval '1 hour'",
            [list(series_ids), since],
        )
        return {series_id: slope for series_id, slope in cursor.fetchall() if slope is not None}


def sparklines(series_ids: Iterable[int], now: datetime, span: timedelta = SPARK_SPAN) -> dict[int, list[float | None]]:
    """The last `span` of each series in SPARK_POINTS averages, oldest first; None where there is a gap."""
    step = span / SPARK_POINTS
    last = EPOCH + ((now - EPOCH) // step) * step
    first = last - step * (SPARK_POINTS - 1)
    lines: dict[int, list[float | None]] = {series_id: [None] * SPARK_POINTS for series_id in series_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT series_id, date_bin(%s::interval, at, %s), avg(value) FROM dashboard_sample"
            " WHERE series_id = ANY(%s) AND at >= %s AND at < %s GROUP BY 1, 2",
            [f"{step.total_seconds()} s", EPOCH, list(lines), first, last + step],
        )
        for series_id, at, value in cursor.fetchall():
            lines[series_id][(at - first) // step] = value
    return lines
