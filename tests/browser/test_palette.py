"""The command palette: opens by keys from anywhere, filters on the server, goes where one points."""

from django.contrib.auth.models import User
from playwright.sync_api import expect

from novaops.runbook.models import Plan
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS
from tests.browser.watch import faults


def test_it_opens_filters_and_goes(open_page: OpenPage, responder: User) -> None:
    page = open_page(user=responder)
    page.goto("/runs/")
    page.get_by_role("link", name="Commands").wait_for()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog").get_by_role("link", name="Overview")).to_be_visible()
    page.keyboard.type("audit")
    expect(page.locator("#palette-list [data-query=audit] a")).to_have_count(1)
    assert faults(page, LOOKS) == []
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("dialog").get_by_role("link", name="Audit")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/audit/")


def test_an_action_opens_in_the_drawer_and_escape_comes_back(open_page: OpenPage, responder: User) -> None:
    page = open_page(user=responder)
    page.goto("/runs/")
    button = page.get_by_role("link", name="Commands")
    button.press("Enter")
    page.keyboard.type("restart api")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Restart the API server · nova-api")).to_be_focused()
    expect(page.get_by_role("heading", name="Looking at nova-api")).to_be_visible()
    assert Plan.objects.get().action == "restart-api"
    page.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_without_javascript_it_is_a_page(open_page: OpenPage, responder: User) -> None:
    page = open_page(user=responder, java_script_enabled=False)
    page.goto("/runs/")
    page.get_by_role("link", name="Commands").click()
    page.get_by_label("Find").fill("restart api")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Restart the API server").click()
    page.wait_for_url("**/actions/restart-api/new?*")
