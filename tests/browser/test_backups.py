"""The pages of backups in a real browser: readable in every look, and a filter being typed outlives the polls."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from tests.backups.rows import DAY, HOUR, database, snapshot
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS
from tests.browser.watch import faults


def test_the_pages_are_accessible_and_a_poll_leaves_a_filter_being_typed(open_page: OpenPage, commander: User) -> None:
    now = timezone.now()
    row = database(latest_restorable_at=now - timedelta(hours=3), retention_days=1)
    ours = {"kind": "manual", "run": 17, "taken_by": "grace", "reason": "Deploy", "deployment": "api@9f31c2"}
    taken = snapshot(row, "pre-deploy-2026-11-25-sandbox-17", now - HOUR, **ours)
    snapshot(row, "pre-deploy-2026-11-25-sandbox-18", None, status="creating", percent=40)
    snapshot(row, "by-hand", now - 50 * DAY, kind="manual", expires_at=now - 20 * DAY, encrypted=False)
    page = open_page(user=commander)
    page.goto("/backups/")
    assert faults(page, LOOKS) == []
    page.fill("#filter-q", "gra")
    page.evaluate("htmx.trigger('#snapshots', 'refresh')")
    page.wait_for_load_state("networkidle")
    assert page.input_value("#filter-q") == "gra"
    page.press("#filter-q", "Enter")
    page.locator("#snapshots").get_by_role("link", name=taken.name).click()
    page.get_by_role("heading", name=taken.name).wait_for()
    assert faults(page, LOOKS) == []
