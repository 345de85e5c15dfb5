"""The pages of backups: honest clocks, filters in the URL, pages, and a bounded number of queries."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backups import claims
from backups.claims import Claim
from backups.models import Snapshot
from tests.backups.rows import DAY, HOUR, database, snapshot, unsaved_snapshot

pytestmark = pytest.mark.django_db
URL = "/backups/"
MOST_QUERIES = 12


@pytest.fixture
def client(client_of: Callable[[User], Client], responder: User) -> Client:
    return client_of(responder)


def text(client: Client, **query: str) -> str:
    answer = client.get(URL, query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_shows_the_clock_the_last_good_backup_and_the_policy(client: Client) -> None:
    last = snapshot(database(), "rds:nova-db-2026-11-25-03-07", timezone.now() - 5 * HOUR)
    page = text(client)
    assert "RPO clock" in page
    assert "<relative-time" in page
    assert f'href="{last.get_absolute_url()}"' in page
    assert "kept 7 d at least" in page
    assert "Take a database snapshot" in page


def test_what_was_kept_of_a_database_that_is_not_watched_any_more_is_found_when_asked_for(client: Client) -> None:
    snapshot(database(), "rds:nova-db-1")
    last = snapshot(database("reports", left_at=timezone.now()), "before-the-move")
    assert "before-the-move" not in text(client)
    assert "before-the-move" in text(client, state="left")
    page = client.get(last.get_absolute_url()).content.decode()
    assert "Not watched" in page
    assert "its database is not watched any more" in page


def test_a_snapshot_is_offered_what_works_in_its_region(client: Client) -> None:
    row = database()
    copy = snapshot(row, "night-copy-7", region="eu-central-1", kind="manual")
    pages = [client.get(one.get_absolute_url()).content.decode() for one in (snapshot(row, "pre-deploy-1"), copy)]
    assert ["Delete old copies in the other region" in page for page in pages] == [False, True]
    assert ["Restore a snapshot into a new instance" in page for page in pages] == [True, False]


def test_without_data_it_says_what_brings_it(client: Client) -> None:
    page = text(client)
    assert "No data yet" in page
    assert "No snapshot is known." in page


def test_what_is_old_is_marked_and_not_green(client: Client) -> None:
    snapshot(database(read_at=timezone.now() - DAY, failed="rds: AWS could not be reached"), "rds:nova-db-1")
    page = text(client)
    assert "have not been read since" in page
    assert "AWS could not be reached" in page
    assert 'data-state="unknown"' in page


def test_filters_find_by_state_kind_database_and_words(client: Client) -> None:
    row, other = database(), database("reports")
    snapshot(row, "night", timezone.now() - HOUR)
    snapshot(row, "before-api", kind="manual", deployment="api@9f31c2", taken_by="grace", run=7)
    snapshot(row, "bare", encrypted=False)
    snapshot(row, "past", gone_at=timezone.now())
    snapshot(other, "of-reports")
    for query, names in (
        ({}, {"night", "before-api", "bare", "of-reports"}),
        ({"kind": "manual"}, {"before-api"}),
        ({"state": "unencrypted"}, {"bare"}),
        ({"state": "gone"}, {"past"}),
        ({"database": "reports"}, {"of-reports"}),
        ({"q": "9F31"}, {"before-api"}),
        ({"q": "grace"}, {"before-api"}),
        ({"state": "nonsense", "kind": "nonsense", "page": "nonsense"}, {"night", "before-api", "bare", "of-reports"}),
    ):
        found = {row.snapshot.name for row in client.get(URL, query).context["rows"]}
        assert found == names, query


def test_pages_hold_twenty_five(client: Client) -> None:
    row, now = database(), timezone.now()
    Snapshot.objects.bulk_create(unsaved_snapshot(row, f"s-{n}", now - timedelta(hours=n)) for n in range(60))
    pages = [[one.snapshot.name for one in client.get(URL, {"page": str(n)}).context["rows"]] for n in (1, 2, 3)]
    assert [len(page) for page in pages] == [25, 25, 10]
    assert [name for page in pages for name in page] == [f"s-{n}" for n in range(60)]


def test_an_open_page_polls_its_parts_and_gets_nothing_while_nothing_moved(client: Client) -> None:
    snapshot(database(), "rds:nova-db-1")
    htmx = {"HX-Request": "true"}
    part = client.get(URL, {"part": "standings"}, headers=htmx).content.decode()
    assert part.lstrip().startswith('<div class="stack" id="standings"')
    assert 'id="snapshots"' not in part
    part = client.get(URL, {"part": "snapshots", "kind": "automated"}, headers=htmx).content.decode()
    assert 'id="snapshots"' in part
    assert "kind=automated" in part


def test_its_queries_do_not_grow_with_the_snapshots(client: Client) -> None:
    client.get(URL)
    for number in range(3):
        row = database(f"db-{number}" if number else "nova-db")
        for age in range(20):
            snapshot(row, f"s-{age}", timezone.now() - age * HOUR)
    with CaptureQueriesContext(connection) as queries:
        client.get(URL)
    assert len(queries) <= MOST_QUERIES, [one["sql"][:120] for one in queries]


def test_a_snapshot_tells_where_it_comes_from_and_who_needs_it(client: Client) -> None:
    taken = snapshot(
        database(),
        "pre-deploy-2026-11-25-sandbox-7",
        kind="manual",
        run=7,
        taken_by="grace",
        reason="a risky migration",
        deployment="api@9f31c2",
        tags={"novaops:run": "7"},
    )
    claims.claimants.append(lambda _place: [Claim(snapshot=taken.name, sentence="Drill 3 restores it.", url="/d/3")])
    try:
        page = client.get(taken.get_absolute_url()).content.decode()
    finally:
        claims.claimants.pop()
    for told in ("grace", "a risky migration", "api@9f31c2", "7, which this NovaOps does not know", "Drill 3 restores"):
        assert told in page


def test_what_can_be_done_with_a_snapshot_carries_its_name(client: Client) -> None:
    taken = snapshot(database(), "rds:nova-db-1")
    offers = client.get(taken.get_absolute_url()).context["offers"]
    assert any("snapshot=rds%3Anova-db-1" in one.url for one in offers)
    filled = client.get(next(one.url for one in offers if one.action_key == "restore-snapshot"))
    assert 'value="rds:nova-db-1"' in filled.content.decode()
    gone = snapshot(taken.database, "gone", gone_at=timezone.now())
    assert client.get(gone.get_absolute_url()).context["offers"] == []


def test_an_unknown_snapshot_or_environment_is_not_found(client: Client) -> None:
    assert client.get("/backups/999/").status_code == 404
    assert client.get(URL, {"environment": "moon"}).status_code == 404
