"""An action beside the page; test_keys.py goes by keyboard alone from its button to the end of its run and back."""

from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from novaops.runbook import planning
from novaops.runbook.action import Risk
from novaops.runbook.models import Plan
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS
from tests.browser.watch import faults
from tests.runbook.bell import Bell, Ring

RING = "Ring the bell · nova-api"


@pytest.fixture
def at_the_catalogue(open_page: OpenPage, bell: Bell, responder: User) -> Page:
    """The catalogue with the bell in it, before a responder."""
    page = open_page(user=responder)
    page.goto("/actions/")
    return page


def open_plan(page: Page) -> None:
    """Open the bell's drawer up to its plan, the worker's part included."""
    page.get_by_role("link", name="Ring the bell").last.press("Enter")
    expect(page.get_by_role("heading", name=RING)).to_be_focused()
    page.get_by_role("dialog").get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("heading", name="Looking at nova-api")).to_be_visible()
    planning.resolve(Plan.objects.get())
    expect(page.get_by_label("Why?")).to_be_visible()


def test_what_was_wrong_with_the_form_comes_back_with_what_was_typed(at_the_catalogue: Page) -> None:
    page = at_the_catalogue
    page.get_by_role("link", name="Ring the bell").last.click()
    times = page.get_by_role("dialog").get_by_label("Times")
    times.fill("3")
    times.evaluate("one => one.removeAttribute('max')")
    times.fill("99")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text("less than or equal to 9")).to_be_visible()
    expect(times).to_be_focused()
    expect(times).to_have_value("99")
    assert not Plan.objects.exists()


def test_an_action_without_parameters_shows_its_plan_at_once(open_page: OpenPage, responder: User) -> None:
    page = open_page(user=responder)
    page.goto("/services/api/")
    page.get_by_role("link", name="Restart the API server").first.click()
    expect(page.get_by_role("heading", name="Looking at nova-api")).to_be_visible()
    assert Plan.objects.get().action == "restart-api"


def test_the_open_drawer_is_accessible_in_every_look(at_the_catalogue: Page) -> None:
    open_plan(at_the_catalogue)
    assert faults(at_the_catalogue, LOOKS) == []


def test_what_destroys_asks_who_it_is_before_its_plan(at_the_catalogue: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page = at_the_catalogue
    monkeypatch.setattr(Ring, "risk", Risk.DESTRUCTIVE)
    page.get_by_role("link", name="Ring the bell").last.click()
    page.get_by_role("dialog").get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("heading", name="Prove that it is you")).to_be_visible()
    assert f"next=/plans/{Plan.objects.get().pk}/" in unquote(page.url)
