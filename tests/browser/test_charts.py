"""The charts of a service in a real browser: drawn, in step, accessible in every look, gone when they are swapped."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page

from dashboard import rollups, samples
from dashboard.models import Deployment, Enquiry
from dashboard.samples import Key
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS
from tests.browser.test_budgets import load
from tests.browser.watch import faults
from tests.dashboard.conftest import calm, environment
from tests.dashboard.test_overview import alert

__all__ = ["calm", "environment"]
UNITS = {"cpu": "%", "memory": "%", "response_p95": "s", "response_p50": "s", "requests": "requests", "error_rate": "%"}


@pytest.fixture
def _past(calm) -> None:
    """An hour of the API server with a gap, a deployment and an alert."""
    now = calm()
    keys = {Key("api", name): unit for name, unit in UNITS.items()}
    for number, row in enumerate(samples.series_of("sandbox", keys).values()):
        rounds = [n for n in range(1, 700) if not 300 < n < 360]
        samples.write({(row.pk, now - timedelta(seconds=5 * n)): 40 + number * 9 + (n // 9) % 23 for n in rounds}, now)
    rollups.roll_up(now)
    alert(fired_at=now - timedelta(minutes=40), started_at=now - timedelta(minutes=45)).save()
    Deployment.objects.create(
        environment="sandbox",
        service="api",
        deployment_id="ecs-svc/1",
        task_definition="nova-api:8",
        desired=2,
        running=2,
        failed_tasks=0,
        at=timezone.now() - timedelta(minutes=50),
        seen_at=now,
    )


def drawn(page: Page) -> None:
    page.goto("/services/api/?range=1h")
    page.locator("#chart-errors .uplot canvas").wait_for()


@pytest.mark.usefixtures("_past")
def test_charts_are_drawn_and_accessible_in_every_look(open_page: OpenPage, viewer: User) -> None:
    page = open_page(user=viewer)
    drawn(page)
    assert page.locator(".uplot canvas").count() == 4
    label = str(page.locator("#chart-cpu .plot").get_attribute("aria-label"))
    assert label.startswith("CPU and memory. cpu: ")
    assert faults(page, LOOKS) == []
    page.locator("#detail").wait_for()
    page.goto("/services/api/table/?chart=cpu&range=1h")
    assert faults(page, LOOKS[-1:]) == []


@pytest.mark.usefixtures("calm")
def test_what_was_asked_is_told_in_place_and_accessible(open_page: OpenPage, responder: User) -> None:
    calm_at = timezone.now()
    page = open_page(user=responder)
    page.goto("/services/events/")
    page.get_by_label("Text").fill("ledger")
    page.get_by_role("button", name="Look").click()
    page.locator("#asked-logs", has_text="A worker will look").wait_for()
    lines = [{"at": calm_at.isoformat(), "stream": "1", "message": "ERROR ledger 7 " + "x" * 300}]
    group = {"pattern": "ERROR ledger #", "number": 1, "first_at": lines[0]["at"], "last_at": lines[0]["at"]}
    told = {"lines": lines, "groups": [group], "full": False, "source": "FilterLogEvents of /nova/event-processor"}
    Enquiry.objects.update(state="told", told_at=calm_at, answer=told)
    page.locator("#asked-logs", has_text="ERROR ledger #").wait_for()
    page.locator("#asked-logs summary").click()
    page.evaluate("scrollTo(0, 0)")
    assert faults(page, (LOOKS[0], LOOKS[1], LOOKS[-1])) == []


@pytest.mark.usefixtures("_past")
def test_a_service_page_stays_within_its_budget(open_page: OpenPage, viewer: User) -> None:
    first = load(open_page(user=viewer), "/services/api/?range=1h")
    assert first.kinds["Script"] <= 75_000
    assert first.kinds["Stylesheet"] <= 15_000
    assert first.bytes <= 150_000
    assert first.requests <= 20


@pytest.mark.usefixtures("_past")
def test_the_cursor_is_shared_and_swapped_charts_are_destroyed(open_page: OpenPage, viewer: User) -> None:
    page = open_page(user=viewer)
    drawn(page)
    page.locator("#chart-cpu .u-over").hover()
    page.locator("#chart-errors .u-legend", has_text="UTC, here").wait_for()
    page.evaluate("htmx.swap('#charts', '', {swapStyle: 'innerHTML'})")
    assert page.locator(".uplot").count() == 0


@pytest.mark.usefixtures("_past")
def test_a_hidden_page_asks_for_nothing_and_a_lost_connection_is_said(open_page: OpenPage, viewer: User) -> None:
    page = open_page(user=viewer, expect=("ERR_INTERNET_DISCONNECTED", "htmx:sendError"))
    page.clock.install()
    drawn(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.clock.run_for(60_000)
    assert [url for url in asked if "/metrics/" in url] == []
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.context.set_offline(True)
    page.clock.run_for(10_100)
    page.locator("[data-charts-note]", has_text="show what was known before").wait_for()
