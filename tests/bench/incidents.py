"""10,000 incidents with 1,000,000 timeline entries: list, room and search; bar 60 ms of server time (p95).

Learning over all of them: bar 300 ms.
"""

from collections.abc import Iterator
from time import perf_counter
from uuid import uuid4

from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client, override_settings

from incidents import search
from incidents.models import Incident, TimelineEntry
from incidents.steps import STEPS
from novaops import environment as declared
from novaops import live
from novaops.access import tokens
from novaops.access.models import Scope
from tests.bench.overview import line

INCIDENTS = 10_000
ENTRIES = 1_000_000
HTMX = {"HX-Request": "true"}
# These are still open, and the newest is a long one.
OPEN = 3
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
    client, long = _signed_in(), f"/incidents/{INCIDENTS}/"
    for number in (5000, INCIDENTS - 1, INCIDENTS):
        live._bump(f"incident:{number}")
    live._bump(f"overview:{declared.default().name}")
    for name, path in (
        ("list, newest", "/incidents/"),
        ("list, deep", "/incidents/?before=300"),
        ("list, filtered", "/incidents/?state=closed&severity=SEV3&service=cache"),
        ("search, a word of every incident", "/incidents/?q=deployment"),
        ("search, two words", "/incidents/?q=latency+merchants"),
        ("search, a word of one incident", "/incidents/?q=zebra4711"),
        ("search, no such word", "/incidents/?q=unicorn"),
        ("room, one that is over", "/incidents/5000/"),
        ("room, an open one", f"/incidents/{INCIDENTS - 1}/"),
        (f"room, open, {LONG:,} entries", f"{long}"),
        ("room, older notes of the long one", f"{long}?show=notes&before={_middle()}"),
        ("learning, all time", "/learning/?span=all"),
    ):
        yield line(name, lambda path=path: _get(client, path), times=100)  # type: ignore[misc]
    yield from _by_program(client)
    for number in (INCIDENTS - 1, INCIDENTS):
        yield line(f"poll of INC-{number}, more was told", lambda n=number: _poll(client, n, told=True), times=100)  # type: ignore[misc]
        yield line(f"poll of INC-{number}, a round ended", lambda n=number: _poll(client, n), times=100)  # type: ignore[misc]
    yield line("poll, nothing changed", lambda: _unchanged(client), times=100)
    yield line("a note in the long one", lambda: client.post(f"{long}compose", {"text": "Seen by the bench"}), times=50)


def _by_program(client: Client) -> Iterator[str]:
    """The same by the API, with a token of the client's user."""
    owner = User.objects.get(username="incidents-reader")
    _, text = tokens.create(owner, name="bench", scopes=Scope.values, days=1, by=owner)
    program = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {text}"})
    long = f"/api/v1/incidents/{INCIDENTS}"
    with override_settings(API_REQUESTS_A_MINUTE=100_000):
        for path in (
            "/api/v1/incidents?limit=100",
            "/api/v1/incidents?q=latency+merchants",
            *(f"{long}{part}" for part in ("", "/steps", "/timeline?limit=100", "/timeline?kind=note", "/draft")),
            f"{long}/timeline?after={TimelineEntry.objects.latest('pk').pk - 100}",
        ):
            yield line(f"API: {path}", lambda path=path: _get(program, path), times=100)  # type: ignore[misc]
        note = {"text": "Seen by the bench"}
        yield line("API: a note in the long one", lambda: _post(program, f"{long}/notes", note), times=50)


def _post(program: Client, path: str, body: dict[str, str]) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    if program.post(path, body, content_type="application/json", headers=headers).status_code != 201:
        raise RuntimeError(path)


def _fill() -> None:
    place, user = declared.default().name, User.objects.create_user("incidents-bench")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO incidents_incident (number, uid, environment, title, severity, services, impact, state,"
            " dedup_key, commander_id, declared_by_id, declared_at, started_at, detected_at, acknowledged_at,"
            " mitigated_at, resolved_at, version, is_drill)"
            " SELECT n, gen_random_uuid(), %s, 'Incident ' || n || ' of the API', 'SEV' || 1 + n %% 4,"
            " ARRAY[(ARRAY['api', 'database', 'cache', 'events'])[1 + n %% 4]], 'Some merchants notice',"
            " CASE WHEN n > %s THEN 'open' ELSE 'closed' END, '', %s, %s, t + '9 min', t, t + '3 min', t + '9 min',"
            " CASE WHEN n <= %s THEN t + make_interval(mins => 10 + n %% 50) END,"
            " CASE WHEN n <= %s THEN t + make_interval(mins => 20 + n %% 90) END, 1, false"
            " FROM (SELECT n, now() - make_interval(hours => 10001 - n) t FROM generate_series(1, %s) n) made",
            [place, INCIDENTS - OPEN, user.pk, user.pk, INCIDENTS - OPEN, INCIDENTS - OPEN, INCIDENTS],
        )
        for position, step in enumerate(STEPS, 1):
            cursor.execute(
                "INSERT INTO incidents_checkliststep (incident_id, key, position, words, state, evidence,"
                " override_reason) SELECT id, %s, %s, %s, CASE WHEN state = 'open' AND %s > 1 THEN 'open' ELSE 'done'"
                " END, '[]', '' FROM incidents_incident",
                [step.key, position, step.words, position],
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


def _poll(client: Client, number: int, *, told: bool = False) -> None:
    """What an open page asks after something moved on: what was told, or the overview alone."""
    live._bump(f"incident:{number}" if told else f"overview:{declared.default().name}")
    if client.get(f"/incidents/{number}/", {"rev": "0"}, headers=HTMX).status_code != 200:
        raise RuntimeError(f"INC-{number}")


def _unchanged(client: Client) -> None:
    topics = (f"incident:{INCIDENTS}", f"overview:{declared.default().name}")
    rev = live.current(topics, declared.default().collect_every_s)
    client.get(f"/incidents/{INCIDENTS}/", {"rev": rev}, headers=HTMX)


def _get(client: Client, path: str) -> None:
    if client.get(path).status_code != 200:
        raise RuntimeError(path)
