"""A chart of 24 hours among ten million samples: the bar is 30 ms of server time (median) for six charts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connection

from dashboard import charts, history, partitions, samples
from dashboard.models import Sample
from dashboard.samples import Key
from dashboard.services.base import services
from novaops import environment as declared
from tests.bench.overview import get, line, refresh, signed_in

DAYS = 14
SERIES = 500
EVERY_MINUTE = 1440


def figures() -> Iterator[str]:
    """One line for each measurement."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    _fill(now)
    yield f"samples: {Sample.objects.count():,} of {SERIES} series over {DAYS} days"
    environment, watched = declared.default(), services["api"]
    day = history.asked({"from": "-24h"}, now, 60)
    found = charts.drawn(watched, environment, day)
    yield f"24 h of the API server: {len(found.lines)} series in six charts, {day.bins} points each"
    yield line("one chart, 24 h", lambda: charts.drawn(watched, environment, day, watched.charts[:1]), times=100)
    yield line("six charts, 24 h", lambda: charts.drawn(watched, environment, day), times=100)
    yield line("as JSON", lambda: charts.as_json(found, "1"), times=100)
    refresh()
    client = signed_in("history")
    yield line("the whole request, 24 h", lambda: get(client, "/metrics/api.json?from=-24h"), times=100)


def _fill(now: datetime) -> None:
    """A sample a minute of every charted series, and of as many others as make SERIES."""
    environment = declared.default()
    names = {name for chart in services["api"].charts_in(environment) for name in chart.series}
    keys = {Key("api", name): "" for name in names}
    keys |= {Key("cache", "memory", f"node-{number}"): "" for number in range(SERIES - len(keys))}
    ids = [row.pk for row in samples.series_of(environment.name, keys).values()]
    first = now - timedelta(days=DAYS)
    partitions.ensure(partitions.SAMPLES, [first + timedelta(days=day) for day in range(DAYS + 2)])
    with connection.cursor() as cursor:
        for day in range(DAYS):
            cursor.execute(
                "INSERT INTO dashboard_sample SELECT s, %s::timestamptz + make_interval(mins => minute),"
                " 50 + 30 * random() FROM generate_series(1, %s) minute, unnest(%s::bigint[]) s",
                [first + timedelta(days=day), EVERY_MINUTE, ids],
            )
        cursor.execute("ANALYZE dashboard_sample")
