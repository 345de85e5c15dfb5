"""The page of backups over 5,000 snapshots of 10 databases: bar 60 ms of server time (p95)."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from time import perf_counter, process_time

from django.db import connection
from django.test.utils import CaptureQueriesContext

from backups import collect, watches
from backups.models import Database, Snapshot
from novaops import environment as declared
from novaops.cloud.rds_snapshots import Snapshot as Told
from novaops.environment import Environment, KeptDatabase
from tests.backups.rows import database, unsaved_snapshot
from tests.bench.overview import get, signed_in

DATABASES = 10
SNAPSHOTS = 5_000
REQUESTS = 200


def figures() -> Iterator[str]:
    """One line for each measurement."""
    place = _declare()
    try:
        yield from _measured(place)
    finally:
        declared.environments.cache_clear()


def _measured(place: Environment) -> Iterator[str]:
    rows = _fill(place)
    client = signed_in("keeper")
    with CaptureQueriesContext(connection) as queries:
        get(client, "/backups/")
    yield f"backups: {Snapshot.objects.count():,} snapshots of {len(rows)} databases, {len(queries)} queries a page"
    for name, url in (
        ("first page", "/backups/"),
        ("last page", "/backups/?page=200"),
        ("old manual ones", "/backups/?state=old&kind=manual"),
        ("found by words", "/backups/?q=api%409f31c2"),
        ("of one database", "/backups/?database=db-7"),
        ("one snapshot", rows[0].snapshots.all()[0].get_absolute_url()),
    ):
        yield _line(f"backups, {name}", lambda url=url: get(client, url), times=REQUESTS)
    yield _line("backups, what the dashboard samples", lambda: watches.read(place, datetime.now(UTC)), times=50)
    told = [_told(one) for one in rows[0].snapshots.all()]
    yield _line(
        f"backups, keeping {len(told)} snapshots of a round",
        lambda: collect._keep_snapshots(place, rows[0], place.region, told, datetime.now(UTC)),
        times=20,
    )


def _declare() -> Environment:
    """The default environment with ten databases; what is declared is what the pages look for."""
    first = declared.default()
    also = tuple(KeptDatabase(kind="instance", id=f"db-{number}") for number in range(1, DATABASES))
    wanted = first.backups.model_copy(update={"also": also, "rpo_s": 900, "collect_every_s": 900})
    place = first.model_copy(update={"backups": wanted})
    declared.environments()[place.name] = place
    return place


def _fill(place: Environment) -> list[Database]:
    now = datetime.now(UTC)
    rows = [database(one.id) for one in place.kept_databases]
    for row in rows:
        Snapshot.objects.bulk_create(_one(row, number, now) for number in range(SNAPSHOTS // DATABASES))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE backups_snapshot, backups_database")
    return rows


def _one(row: Database, number: int, now: datetime) -> Snapshot:
    at = now - timedelta(hours=12 * number)
    if number % 2:
        return unsaved_snapshot(row, f"rds:{row.name}-{number}", at)
    ours = {"run": number, "taken_by": "grace", "reason": "a deployment", "deployment": f"api@{number:06x}"}
    return unsaved_snapshot(row, f"pre-deploy-{row.name}-{number}", at, kind="manual", **ours)


def _told(row: Snapshot) -> Told:
    return Told(
        id=row.name,
        instance=row.database.name,
        kind=row.kind,
        status=row.status,
        percent=100,
        created_at=row.created_at,
        size_gb=row.size_gb,
        engine_version=row.engine_version,
        encrypted=row.encrypted,
        tags={"novaops:run": "1"},
    )


def _line(name: str, call: Callable[[], object], *, times: int) -> str:
    call()
    took, of_cpu = [], []
    for _ in range(times):
        began, began_cpu = perf_counter(), process_time()
        call()
        took.append((perf_counter() - began) * 1000)
        of_cpu.append((process_time() - began_cpu) * 1000)
    cuts = quantiles(took, n=20)
    cpu = f"of which {quantiles(of_cpu, n=20)[18]:.1f} ms our CPU"
    return f"{name}: p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms ({cpu})"
