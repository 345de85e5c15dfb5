"""The wizard, the records and what is left beside production, as people see them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backups.models import Beside, Database, Restore, Snapshot
from novaops.runbook.models import Plan, Run

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
NAME = "nova-restored-2026-11-24-17"


@pytest.fixture
def record(responder: User) -> Restore:
    """A proven drill."""
    at = timezone.now() - timedelta(hours=1)
    plan = Plan.objects.create(
        action="restore-drill", environment="sandbox", service="database", target="nova-drill", requested_by=responder
    )
    run = Run.objects.create(
        plan=plan,
        action="restore-drill",
        title="Rehearse a restore",
        environment="sandbox",
        service="database",
        target="nova-drill",
        risk="disruptive",
        reason="weekly",
        idempotency_key="drill",
        request_hash="x",
        requested_by=responder,
        status="succeeded",
        next_at=at,
        code_version="1",
    )
    moment = at.replace(microsecond=0)
    table = {
        "name": "users",
        "rows": 2000,
        "exact": True,
        "column": "created_at",
        "newest_at": moment.isoformat(),
        "lost_rows": 2,
        "lost_from": (moment + timedelta(seconds=5)).isoformat(),
        "lost_until": (moment + timedelta(seconds=9)).isoformat(),
    }
    return Restore.objects.create(
        run=run,
        environment="sandbox",
        drill=True,
        kind="snapshot",
        source="snapshot pre-deploy-2026-11-24-16",
        instance=NAME,
        state=Restore.State.PROVEN,
        asked_at=at,
        proven_at=at,
        tables=[table],
        lost_rows=2,
        lost_from=moment,
        lost_until=moment,
        rto_s=612,
        rpo_s=9,
        version="16.8",
    )


@pytest.fixture
def database() -> Database:
    now = timezone.now()
    made = Database.objects.create(
        environment="sandbox",
        name="nova-db",
        kind="instance",
        asked_at=now,
        read_at=now,
        earliest_restorable_at=now - timedelta(days=7),
        latest_restorable_at=now,
    )
    shared: dict[str, Any] = {"database": made, "region": "eu-west-1", "first_seen_at": now, "read_at": now}
    for number in range(3):
        Snapshot.objects.create(name=f"snap-{number}", kind="manual", status="available", created_at=now, **shared)
    return made


def text(client: Client, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, answer.content[:500]
    return answer.content.decode()


def test_the_wizard_offers_snapshots_and_the_reach_of_the_backups(
    client_of: ClientOf, responder: User, database: Database
) -> None:
    page = text(client_of(responder), "/backups/restore/new?snapshot=snap-1&incident=7")
    assert '<option value="snap-1" selected>' in page
    assert f"Any moment from {database.earliest_restorable_at:%Y-%m-%d %H:%M:%S} to" in page
    assert page.count('name="incident" value="7"') == 2
    assert 'placeholder="as production"' in page


def test_the_wizard_shows_productions_settings_as_a_plan_read_them(
    client_of: ClientOf, responder: User, database: Database
) -> None:
    Plan.objects.create(
        action="restore-snapshot",
        environment="sandbox",
        service="database",
        target="nova-restored",
        requested_by=responder,
        state=Plan.State.READY,
        resolved_at=timezone.now(),
        facts={"production": {"has": {"DBInstanceClass": "db.r6g.large", "MultiAZ": True}}},
    )
    page = text(client_of(responder), "/backups/restore/new")
    assert 'placeholder="db.r6g.large"' in page
    assert "as production (yes)" in page


def test_what_the_wizard_sends_makes_a_plan(client_of: ClientOf, responder: User, database: Database) -> None:
    sent = {"environment": "sandbox", "target": "nova-restored", "incident": "", "at": "2026-11-24 03:10:00"}
    answer = client_of(responder).post("/actions/restore-to-time/plans", {**sent, "multi_az": "no"})
    plan = Plan.objects.get()
    assert answer["Location"] == plan.get_absolute_url()
    assert (plan.params["at"], plan.params["multi_az"]) == ("2026-11-24T03:10:00+00:00", "no")


def test_a_record_tells_what_is_lost_and_has_a_certificate(client_of: ClientOf, viewer: User, record: Restore) -> None:
    page = text(client_of(viewer), record.get_absolute_url())
    assert "2 rows of production are missing" in page
    assert "10 min, until its database was proven" in page
    answer = client_of(viewer).get(f"/backups/restores/{record.pk}/certificate.md")
    assert answer["Content-Disposition"] == f'attachment; filename="{NAME}.md"'
    assert "# Restore drill" in answer.content.decode()


def test_a_left_over_instance_is_listed_with_its_cost_and_its_end(
    client_of: ClientOf, commander: User, record: Restore
) -> None:
    Beside.objects.create(
        environment="sandbox",
        name=NAME,
        status="available",
        instance_class="db.t4g.medium",
        size_gb=100,
        multi_az=True,
        read_at=timezone.now(),
    )
    for url in ("/backups/", "/backups/restores/"):
        page = text(client_of(commander), url)
        assert "Left over" in page
        assert "0.18 an hour" in page
        assert f"/actions/delete-restored/new?environment=sandbox&amp;target={NAME}" in page
        assert f"/actions/cut-over/new?environment=sandbox&amp;instance={NAME}" in page


def test_the_pages_cost_the_same_for_few_and_for_many(client_of: ClientOf, viewer: User, record: Restore) -> None:
    client = client_of(viewer)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            text(client, "/backups/restores/")
        return len(caught)

    few = queries()
    for number in range(20):
        Beside.objects.create(
            environment="sandbox",
            name=f"nova-restored-2026-11-24-{number + 100}",
            status="available",
            read_at=timezone.now(),
        )
    assert queries() <= few + 3


def test_deleting_needs_a_name(client_of: ClientOf, commander: User) -> None:
    text(client_of(commander), "/actions/delete-restored/new", 404)
