"""From a firing alert to an exported post-mortem without a mouse: every place is seen, no focus is ever lost."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from dashboard.models import Alert
from incidents import incident as decide
from incidents.models import Incident, Role, TimelineEntry
from novaops import environment as environments
from novaops.outbox.models import Message
from novaops.runbook import planning
from novaops.runbook.models import Plan, Run
from tests.browser.conftest import OpenPage
from tests.browser.keys import Keys
from tests.browser.watch import axe
from tests.incidents.conftest import clear, make_alert, place
from tests.incidents.world import all_healthy
from tests.outbox.conftest import carry_on as deliver
from tests.runbook.bell import Bell
from tests.runbook.conftest import carry_on
from tests.servers import Nova

__all__ = ["clear", "make_alert", "place"]
PASSWORD = "nova-sandbox-only"
ROOM = "**/incidents/1/"
# What a commander presses between the overview of a firing alert and both messages on their way.
FEWEST = 5


def news(page: Page) -> None:
    """Let every polled part ask now, as it does when one comes back to the page."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def said(page: Page, words: str) -> None:
    """It is read aloud: what changes is told at most every five seconds."""
    expect(page.locator("#announcer")).to_contain_text(words, timeout=10_000)


def sign_in(keys: Keys, user: User) -> None:
    user.set_password(PASSWORD)
    user.save()
    keys.page.goto("/")
    keys.tab_to(keys.page.get_by_label("Username"))
    keys.type(user.username)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.leave("Enter", to="**/")


def open_and_close(keys: Keys) -> None:
    """What opens over the overview gives the focus back where it was."""
    page = keys.page
    keys.press("Tab")
    keys.at(page.get_by_role("link", name="Skip to content"))
    keys.press("Enter")
    keys.at(page.locator("main"))
    keys.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("To the next thing to do here")
    assert axe(page) == []
    keys.press("Escape")
    keys.at(page.locator("main"))
    keys.press("Control+k")
    expect(page.get_by_role("dialog").get_by_role("link", name="Declare: High CPU")).to_be_visible()
    keys.press("Escape")
    keys.at(page.locator("main"))
    more = page.locator("summary", has_text="More")
    keys.tab_to(more, "Shift+Tab")
    keys.press("Enter", "Tab", "Escape")
    keys.at(more)


def declare_and_tell(keys: Keys, nova: Nova) -> None:
    """The five keys: the declaration, the page of Communicate, both messages."""
    page, before = keys.page, keys.pressed
    keys.press("n")
    keys.at(page.get_by_role("button", name="Declare: High CPU"))
    keys.leave("Enter", to=ROOM)
    keys.leave("3", to="**/steps/communicate/")
    keys.press("n")
    keys.at(page.get_by_role("button", name="Post and update"))
    keys.leave("Enter", to="**/steps/communicate/#proof")
    assert keys.pressed - before == FEWEST
    keys.at(page.locator("#proof"))
    for message in Message.objects.order_by("pk"):
        deliver(message)
    news(page)
    expect(page.locator("#news").get_by_text("Sent")).to_have_count(2)
    keys.at(page.locator("#proof"))
    said(page, "Sent")
    assert [len(nova.told(sink)) for sink in ("slack", "statuspage")] == [1, 1]
    keys.press("n")
    keys.at(page.get_by_role("button", name="Close Communicate"))
    keys.leave("Enter", to=f"{ROOM}#go-assess")
    keys.at(page.locator("#go-assess"))


def assess(keys: Keys) -> None:
    page = keys.page
    keys.leave("Enter", to="**/steps/assess/")
    expect(page.locator("#proof")).to_contain_text("SEV")
    keys.press("n")
    keys.tab_to(page.get_by_role("button", name="Tick").last, "Shift+Tab")
    keys.leave("Enter", to="**/steps/assess/#item-*")
    keys.at(page.get_by_role("button", name="Done"))
    keys.tab_to(page.get_by_role("textbox", name="Impact (optional)"))
    keys.type("Logins fail for every merchant")
    keys.leave("Tab", "Enter", to="**/steps/assess/#proof")
    keys.at(page.locator("#proof"))
    keys.tab_to(page.get_by_role("radio", name="SEV2"))
    keys.press("ArrowUp")
    keys.tab_to(page.get_by_role("textbox", name="Reason (optional)"))
    keys.type("Nobody can log in")
    keys.leave("Enter", to="**/steps/assess/#proof")
    expect(page.locator("#proof")).to_contain_text("SEV1")
    keys.press("n")
    keys.leave("Enter", to=f"{ROOM}#go-mitigate")
    keys.at(page.locator("#go-mitigate"))


def write(keys: Keys, other: User) -> None:
    """Roles and notes by the composer, while somebody else writes, too."""
    page = keys.page
    composer = page.get_by_label("Write to the timeline")
    keys.press("k")
    keys.at(page.locator("#go-communicate"))
    keys.press("j")
    keys.at(page.locator("#go-mitigate"))
    keys.press("w")
    keys.at(composer)
    keys.type(f"/role scribe {other.username}")
    keys.leave("Control+Enter", to=f"{ROOM}#compose")
    keys.at(composer)
    keys.type("half a sentence")
    decide.note(1, "Somebody else writes", by=other)
    decide.set_severity(1, "SEV2", by=other, reason="Half of them can")
    news(page)
    page.locator("#timeline", has_text="Somebody else writes").wait_for()
    expect(page.locator("#head")).to_contain_text("SEV2")
    said(page, "Severity: SEV1 → SEV2")
    keys.at(composer)
    expect(composer).to_have_value("half a sentence")
    keys.leave("Tab", "Enter", to=f"{ROOM}#compose")
    assert TimelineEntry.objects.filter(text="half a sentence").count() == 1
    assert Role.objects.get(name="scribe").user == other


def act(keys: Keys, bell: Bell) -> None:
    """An action beside the room; Escape gives the focus back to its link, before a run and after one."""
    page = keys.page
    keys.press("Tab", "a")
    offer = page.locator("#offer-ring-nova-api a")
    keys.tab_to(offer)
    dialog = page.get_by_role("dialog")
    plan(keys)
    keys.press("Escape")
    keys.at(offer)
    assert (page.locator("#drawer-part").inner_html(), Run.objects.exists()) == ("", False)
    plan(keys)
    keys.tab_to(page.get_by_label("Why?"))
    keys.type("Runaway workers")
    keys.press("Tab")
    keys.at(dialog.get_by_role("button", name="Ring the bell"))
    keys.press("Enter")
    expect(dialog.get_by_text("Queued")).to_be_visible()
    keys.tab_to(dialog.get_by_role("button", name="Cancel before the next step"))
    run, bell.settled_after = Run.objects.get(), 99
    carry_on(run, most=6)
    news(page)
    expect(dialog.get_by_text("Still swinging")).to_be_visible()
    said(page, "Ring the bell: Queued → Running")
    bell.settled_after = 0
    assert carry_on(run).status == "succeeded"
    news(page)
    expect(dialog.get_by_role("heading", name="Did it help?")).to_be_visible()
    keys.see()
    keys.press("Escape")
    keys.at(offer)


def plan(keys: Keys) -> None:
    """Open the drawer up to its plan, the worker's part included."""
    page, drawn = keys.page, Plan.objects.count()
    keys.press("Enter")
    title = page.get_by_role("heading", name="Ring the bell · nova-api")
    keys.at(title)
    keys.tab_to(page.get_by_role("button", name="Show the plan"))
    keys.press("Enter")
    page.get_by_role("heading", name="Looking at nova-api").wait_for()
    assert Plan.objects.count() == drawn + 1
    planning.resolve(Plan.objects.latest("created_at"))
    news(page)
    page.get_by_label("Why?").wait_for()
    keys.at(title)
    assert page.locator("[aria-current=step]:visible").last.inner_text() == "2 Confirm"


def resolve(keys: Keys, alert: Alert, clear: Callable[..., None]) -> None:
    page = keys.page
    keys.leave("4", to="**/steps/mitigate/")
    keys.leave("0", to=ROOM)
    keys.leave("4", to="**/steps/mitigate/")
    keys.press("n")
    keys.at(page.get_by_role("button", name="Close Mitigate"))
    keys.leave("Enter", to=f"{ROOM}#go-resolve")
    keys.leave("Enter", to="**/steps/resolve/")
    keys.press("n")
    keys.at(page.get_by_role("button", name="Check and resolve"))
    keys.leave("Enter", to="**/steps/resolve/complete")
    keys.at(page.get_by_role("alert"))
    expect(page.get_by_role("alert")).to_contain_text("API server is Critical")
    clear(alert, at=timezone.now() - timedelta(minutes=5))
    all_healthy(environments.default())
    keys.press("n")
    keys.leave("Enter", to="**/postmortem/")


def learn(keys: Keys, reviewer: Keys) -> None:
    """Write, be told what it lacks, have a second person read it, publish, export."""
    page = keys.page
    keys.press("n")
    keys.leave("Enter", to="**/postmortem/edit")
    text = page.get_by_label("Markdown")
    keys.tab_to(text)
    keys.press("Control+End")
    keys.type("It was human error.")
    page.locator("#findings", has_text="human error").wait_for()
    keys.press("Control+Shift+ArrowLeft", "Control+Shift+ArrowLeft", "Control+Shift+ArrowLeft")
    keys.type("a stuck queue.")
    page.locator("#preview", has_text="It was a stuck queue.").wait_for()
    keys.at(text)
    keys.leave("Control+Enter", to="**/postmortem/?saved=2")
    said(page, "Version 2 is saved.")
    keys.press("n")
    keys.tab_to(page.get_by_role("button", name="Ask for a review"))
    keys.leave("Enter", to="**/postmortem/review")
    keys.at(page.get_by_role("alert"))
    keys.press("n", "Space")
    expect(page.get_by_label("Ask anyway")).to_be_checked()
    keys.leave("Tab", "Enter", to="**/postmortem/")
    said(page, "A second person is asked to review it.")
    reviewer.page.goto("/incidents/1/postmortem/")
    reviewer.press("n", "Tab")
    reviewer.at(reviewer.page.get_by_role("button", name="Approve"))
    reviewer.leave("Enter", to="**/postmortem/")
    page.reload()
    keys.press("n", "ArrowDown")
    keys.leave("Tab", "Enter", to="**/postmortem/")
    said(page, "Version 2 is published.")
    keys.press("n")
    keys.at(page.get_by_role("button", name="Export"))
    keys.leave("Enter", to="**/postmortem/")
    said(page, "Exported to docs/ops/post-mortems/")


@pytest.mark.long(20)
def test_a_commander_needs_no_mouse_from_the_alert_to_the_lessons(
    open_page: OpenPage,
    aws: Nova,
    make_alert: Callable[..., Alert],
    clear: Callable[..., None],
    bell: Bell,
    commander: User,
    commander2: User,
) -> None:
    alert = make_alert()
    keys = Keys(open_page(expect=("409",)))
    sign_in(keys, commander)
    open_and_close(keys)
    declare_and_tell(keys, aws)
    assess(keys)
    write(keys, commander2)
    act(keys, bell)
    resolve(keys, alert, clear)
    learn(keys, Keys(open_page(user=commander2)))
    assert Incident.objects.get().state == Incident.State.RESOLVED
    (document,) = (Path(os.environ["NOVAOPS_POSTMORTEM_ROOT"]) / "docs/ops/post-mortems").glob("*-high-cpu*.md")
    assert "It was a stuck queue." in document.read_text()
    document.unlink()
