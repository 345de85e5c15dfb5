"""10,000 incidents with 1,000,000 timeline entries: list, room and search; bar 60 ms of server time (p95)."""

from collections.abc import Iterator
from time import perf_counter

from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from incidents import search
from incidents.models import Incident, TimelineEntry
from incidents.steps import STEPS
from novaops import environment as declared
from tests.bench.overview import line

INCIDENTS = 10_000
ENTRIES = 1_000_000
# The newest incident is a long one.
LONG = 20_000
WORDS = "deployment latency merchants payments restarted replica eviction ledger timeout rollback saturation failover"


def figures() -> Iterator[str]:
    """One line for each measurement."""
    _fill()
    search.ENTRIES_A_TIME = 100_000
    started = perf_counter()
    while search.fold():
        continue
    took = perf_counter() - started
    counts = f"{Incident.objects.count():,} with {TimelineEntry.objects.count():,} entries"
    yield f"incidents: {counts}, folded in {took:.0f} s"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE incidents_timelineentry")
        cursor.execute("VACUUM ANALYZE incidents_words")
    client = _signed_in()
    for name, path in (
        ("list, newest", "/incidents/"),
        ("list, deep", "/incidents/?before=300"),
        ("list, filtered", "/incidents/?state=closed&severity=SEV3&service=cache"),
        ("search, a word of every incident", "/incidents/?q=deployment"),
        ("search, two words", "/incidents/?q=latency+merchants"),
        ("search, a word of one incident", "/incidents/?q=zebra4711"),
        ("search, no such word", "/incidents/?q=unicorn"),
        ("room, a usual one", "/incidents/5000/"),
        (f"room, {LONG:,} entries", f"/incidents/{INCIDENTS}/"),
        ("room, older notes of the long one", f"/incidents/{INCIDENTS}/?show=notes&before={_middle()}"),
    ):
        yield line(name, lambda path=path: _get(client, path), times=100)  # type: ignore[misc]


def _fill() -> None:
    place, user = declared.default().name, User.objects.create_user("incidents-bench")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO incidents_incident (number, uid, environment, title, severity, services, impact, state,"
            " dedup_key, commander_id, declared_by_id, declared_at, started_at, detected_at, acknowledged_at,"
            " mitigated_at, resolved_at, version, is_drill)"
            " SELECT n, gen_random_uuid(), %s, 'Incident ' || n || ' of the API', 'SEV' || 1 + n %% 4,"
            " ARRAY[(ARRAY['api', 'database', 'cache', 'events'])[1 + n %% 4]], 'Some merchants notice', 'closed', '',"
            " %s, %s, t, t, t, t, t, t, 1, false"
            " FROM (SELECT n, now() - make_interval(hours => 10001 - n) t FROM generate_series(1, %s) n) made",
            [place, user.pk, user.pk, INCIDENTS],
        )
        for position, step in enumerate(STEPS, 1):
            cursor.execute(
                "INSERT INTO incidents_checkliststep (incident_id, key, position, words, state, evidence,"
                " override_reason) SELECT id, %s, %s, %s, 'done', '[]', '' FROM incidents_incident",
                [step.key, position, step.words],
            )
        cursor.execute(
            "INSERT INTO incidents_timelineentry (incident_id, at, recorded_at, kind, author_id, text, url, data,"
            " dedup_key, starred, pinned, folded)"
            " SELECT incident.id, at, at, kind, CASE kind WHEN 'note' THEN %s::int END,"
            " word || ' ' || (%s::text[])[1 + (n * 7) %% 12] || ' seen on node ' || n %% 97 || CASE WHEN n %% 100 = 0"
            " THEN ' zebra' || incident.number ELSE '' END,"
            " '', CASE WHEN n %% 50 = 0 THEN '{\"snapshot\": true}'::jsonb ELSE '{}'::jsonb END,"
            " '', n %% 40 = 0, false, false"
            " FROM (SELECT n, CASE WHEN n <= %s THEN %s ELSE 1 + n %% %s END AS number,"
            "   (ARRAY['note', 'alert', 'run', 'state', 'message'])[1 + n %% 5] AS kind,"
            "   (%s::text[])[1 + n %% 12] AS word FROM generate_series(1, %s) n) made"
            " JOIN incidents_incident incident USING (number),"
            " LATERAL (SELECT incident.started_at + make_interval(secs => made.n %% 86400) AS at) t",
            [user.pk, WORDS.split(), LONG, INCIDENTS, INCIDENTS - 1, WORDS.split(), ENTRIES],
        )
        cursor.execute("ANALYZE")


def _middle() -> int:
    rows = TimelineEntry.objects.filter(incident__number=INCIDENTS).order_by("-at", "-id")
    return int(rows.values_list("pk", flat=True)[LONG // 2])


def _signed_in() -> Client:
    user = User.objects.create_user("incidents-reader")
    user.groups.add(Group.objects.get(name="commander"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def _get(client: Client, path: str) -> None:
    if client.get(path).status_code != 200:
        raise RuntimeError(path)
