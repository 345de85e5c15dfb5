"""The overview over 30 days of one-minute samples of 60 series: bar 50 ms of server time (p95) and 8 queries."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from time import perf_counter, process_time

from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard import overview, partitions, rollups, samples
from dashboard.models import Reading, Sample
from dashboard.samples import Key
from dashboard.services.base import services
from novaops import environment as declared
from novaops import live
from tests.dashboard.conftest import labels, unsaved_reading

DAYS = 30
SERIES = 60
REQUESTS = 300


def figures() -> Iterator[str]:
    """One line for each measurement."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    ids = _fill(now)
    yield f"samples: {Sample.objects.count():,} of {len(ids)} series over {DAYS} days"
    yield line("a round's write of 60 series", lambda: _write(ids, now), times=100)
    yield line("sparklines of the four tiles", lambda: samples.sparklines(ids[:4], now), times=100)
    yield line("one series, 24 h", lambda: samples.window(ids[:1], now - timedelta(hours=24)), times=100)
    yield line("rolling up the last hours", lambda: _roll_up(ids, now), times=3)
    client = signed_in("bench")
    client.get("/")
    with CaptureQueriesContext(connection) as queries:
        client.get("/")
    yield f"overview: {len(queries)} queries"
    yield line("overview, whole page", lambda: get(client, "/"), times=REQUESTS)
    yield line("service page", lambda: get(client, "/services/api/"), times=REQUESTS)
    yield line("poll, something changed", lambda: _changed_poll(client), times=REQUESTS)
    yield line("poll, nothing changed", lambda: _unchanged_poll(client), times=REQUESTS)


def line(name: str, call: Callable[[], object], *, times: int) -> str:
    """How long the call takes, over and over with fresh readings."""
    call()
    took, of_cpu = [], []
    for _ in range(times):
        refresh()
        started, started_cpu = perf_counter(), process_time()
        call()
        took.append((perf_counter() - started) * 1000)
        of_cpu.append((process_time() - started_cpu) * 1000)
    cuts = quantiles(took, n=20)
    return (
        f"{name}: p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms (of which {quantiles(of_cpu, n=20)[18]:.1f} ms our CPU)"
    )


def _fill(now: datetime) -> list[int]:
    """The declared series and as many more as make SERIES, each with a sample a minute."""
    environment = declared.default()
    keys = {Key(kind, label): "" for kind, service in services.items() for label in labels(service, environment)}
    keys |= {Key("api", f"more_{number}"): "" for number in range(max(SERIES - len(keys), 0))}
    ids = [row.pk for row in samples.series_of(environment.name, keys).values()][:SERIES]
    first = now - timedelta(days=DAYS)
    partitions.ensure(partitions.SAMPLES, [first + timedelta(days=day) for day in range(DAYS + 2)])
    with connection.cursor() as cursor:
        for day in range(DAYS):
            cursor.execute(
                "INSERT INTO dashboard_sample SELECT s, %s::timestamptz + make_interval(mins => minute),"
                " 50 + 30 * random() FROM generate_series(1, 1440) minute, unnest(%s::bigint[]) s",
                [first + timedelta(days=day), ids],
            )
        cursor.execute("ANALYZE dashboard_sample")
    return ids


def _write(ids: list[int], now: datetime) -> None:
    """The last three minutes of every series, as each round writes them."""
    points = {(series, now - timedelta(minutes=back)): random.random() * 100 for series in ids for back in range(3)}
    samples.write(points, now)


def _roll_up(ids: list[int], now: datetime) -> None:
    _write(ids, now)
    rollups.roll_up(now)


def refresh() -> None:
    """Readings as a round would just have left them."""
    environment, now = declared.default(), datetime.now(UTC)
    Reading.objects.bulk_create(
        [unsaved_reading(environment, kind, now) for kind in services],
        update_conflicts=True,
        unique_fields=["environment", "service"],
        update_fields=["at", "source", "values", "facts", "spark"],
    )


def signed_in(name: str) -> Client:
    """A client of a responder of that name."""
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name="responder"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def get(client: Client, path: str) -> None:
    """Ask for a page that must be there."""
    if client.get(path).status_code != 200:
        raise RuntimeError(path)


def _changed_poll(client: Client) -> None:
    live._bump(f"overview:{declared.default().name}")
    get(client, "/fragments/overview?rev=0")


def _unchanged_poll(client: Client) -> None:
    client.get("/fragments/overview", {"rev": overview.revision(declared.default())})
