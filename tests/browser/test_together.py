"""Two commanders in two browsers, by keyboard alone: nothing that either typed is lost."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from dashboard.models import Alert
from incidents.models import Incident, TimelineEntry
from tests.browser.conftest import Look, OpenPage
from tests.browser.watch import axe, too_wide
from tests.incidents.conftest import make_alert, place

__all__ = ["make_alert", "place"]


def press(page: Page, name: str) -> None:
    """Reach the button by Tab, and press it."""
    button = page.get_by_role("button", name=name).first
    for _ in range(200):
        page.keyboard.press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_two_commanders_edit_at_once_and_lose_nothing(
    open_page: OpenPage, make_alert: Callable[..., Alert], commander: User, commander2: User
) -> None:
    make_alert()
    first = open_page(user=commander, expect=("409",))
    second = open_page(Look("phone-dark", scheme="dark", phone=True), user=commander2, expect=("409",))
    first.goto("/")
    press(first, "Declare: High CPU")
    first.wait_for_url("**/incidents/1/")
    assess = reverse("incidents:step", args=[1, "assess"])
    for page in (first, second):
        page.goto(assess)
    second.get_by_role("textbox", name="Impact").fill("Every merchant in Lagos")
    press(second, "Save")
    second.wait_for_url(f"**{assess}#proof")
    first.get_by_role("textbox", name="Impact").fill("Half of the merchants")
    press(first, "Save")
    expect(first.locator("#conflict")).to_contain_text("Every merchant in Lagos")
    expect(first.get_by_role("textbox", name="Impact")).to_have_value("Half of the merchants")
    assert (axe(first), too_wide(first)) == ([], False)
    press(first, "Save")
    expect(first.locator("#conflict")).to_have_count(0)
    assert Incident.objects.get().impact == "Half of the merchants"
    told = TimelineEntry.objects.filter(text__startswith="Affected:").order_by("id").values_list("text", flat=True)
    assert [text.partition(". ")[2] for text in told] == ["Every merchant in Lagos", "Half of the merchants"]
