"""What the overview and a page of a service weigh, measured in the browser (UX.md, section 8: budgets, not targets)."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage

OBSERVE = """window.paints = {lcp: 0, cls: 0};
new PerformanceObserver((list) => list.getEntries().forEach((one) => (paints.lcp = one.startTime)))
  .observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver((list) => list.getEntries().forEach((one) => (paints.cls += one.value)))
  .observe({type: "layout-shift", buffered: true});"""


@dataclass
class Load:
    """What loading a page transferred."""

    requests: int = 0
    bytes: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


def load(page: Page, path: str) -> Load:
    """Open the page and count what went over the wire, as Chromium's own network log says."""
    session = page.context.new_cdp_session(page)
    counted, kinds = Load(), {}

    def answered(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def finished(event: dict[str, Any]) -> None:
        kind = kinds.get(event["requestId"])
        if kind and event["encodedDataLength"]:
            counted.requests += 1
            counted.bytes += event["encodedDataLength"]
            counted.kinds[kind] = counted.kinds.get(kind, 0) + event["encodedDataLength"]

    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    page.goto(path)
    page.wait_for_load_state("networkidle")
    session.detach()
    return counted


@pytest.fixture
def overview(open_page: OpenPage, viewer: User) -> Page:
    """A page of a viewer whose browser has nothing in its cache, before a site that was asked before."""
    open_page(user=viewer).goto("/")
    page = open_page(user=viewer)
    page.add_init_script(OBSERVE)
    return page


def test_the_first_load_stays_within_its_budget(overview: Page) -> None:
    first = load(overview, "/")
    assert first.requests <= 15
    assert first.bytes <= 150_000
    assert first.kinds["Script"] <= 75_000
    assert first.kinds["Stylesheet"] <= 15_000
    assert overview.evaluate("document.querySelectorAll('*').length") <= 1200
    assert overview.evaluate("paints.cls") <= 0.02


def test_a_page_of_a_service_asks_no_more_often(overview: Page) -> None:
    first = load(overview, "/services/database/")
    assert first.requests <= 15
    assert first.bytes <= 200_000


def test_the_overview_is_painted_in_time(open_page: OpenPage, viewer: User) -> None:
    """Within what Core Web Vitals call good, on a machine that runs other tests beside."""
    page = open_page(user=viewer)
    page.add_init_script(OBSERVE)
    page.goto("/", wait_until="networkidle")
    page.reload(wait_until="networkidle")
    assert 0 < page.evaluate("paints.lcp") <= 2_500


def test_a_repeated_view_takes_everything_but_the_page_from_the_cache(overview: Page) -> None:
    load(overview, "/")
    again = load(overview, "/")
    assert again.bytes <= 30_000
    assert again.kinds.keys() <= {"Document", "XHR", "Fetch"}
