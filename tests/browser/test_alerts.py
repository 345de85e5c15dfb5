"""Alerts, silences, maintenance and webhooks in a real browser, and what the tab and a notice tell on any page."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.hooks import inbox
from dashboard.hooks.models import Subscription
from dashboard.models import Alert
from novaops import environment as environments
from novaops import live
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS
from tests.browser.watch import faults
from tests.dashboard.conftest import calm, environment
from tests.dashboard.hooks.post import as_pagerduty, as_sender, event
from tests.dashboard.test_quiet import fired, silenced, window

__all__ = ["calm", "environment"]
LOOKED_AT = (LOOKS[0], LOOKS[1], LOOKS[-1])
# A browser whose reader says yes when asked, and what it then showed.
NOTICES = """window.told = []; window.Notification = class {
  static permission = "default";
  static async requestPermission() { return (this.permission = "granted") }
  constructor(title, { body }) { told.push(body) }
}"""
SHOTS = os.environ.get("NOVAOPS_SHOTS")


def burning() -> Alert:
    """An alert with three witnesses."""
    alert = fired(started_at=timezone.now(), resource="a-node-with-a-long-name-001")
    for source, name in (("rule", "high-cpu"), ("cloudwatch", "nova-api-high-cpu"), ("pagerduty", "PINC01")):
        alert.witnesses.create(source=source, name=name, sentence="Threshold Crossed: 3 of 3", since=alert.fired_at)
    return alert


def test_every_page_of_alerts_is_accessible_in_every_look(
    open_page: OpenPage, commander: User, admin: User, responder: User
) -> None:
    place = environments.default()
    alert = burning()
    silenced(fired(rule="error-rate", title="Server errors"), place, responder)
    window(place, commander, service="cache")
    as_pagerduty(event(title="Something else"))
    as_sender({"name": "checkout", "state": "firing", "service": "api"})
    as_sender({"name": "x"}, key=b"not the right secret")
    inbox.read_waiting()
    topic = place.hooks.topics[0]
    Subscription.objects.create(environment=place.name, topic=topic, token="t", asked_at=timezone.now())
    pages = {"alerts": "/alerts/", "alert": alert.get_absolute_url(), "maintenance": "/maintenance/"}
    by_user = {commander: pages, admin: {"webhooks": "/settings/webhooks/"}}
    for user, paths in by_user.items():
        page = open_page(user=user)
        for name, path in paths.items():
            page.goto(path)
            assert (name, faults(page, LOOKED_AT)) == (name, [])
            for look in LOOKED_AT if SHOTS else ():
                look.put_on(page)
                page.screenshot(path=Path(SHOTS or "") / f"{name}-{look.name}.png", full_page=True)


@pytest.mark.parametrize("switched_on", [True, False])
def test_any_page_tells_in_its_tab_and_by_a_notice_where_that_was_switched_on(
    open_page: OpenPage, calm: Callable[..., object], commander: User, switched_on: bool
) -> None:
    calm()
    page = open_page(user=commander)
    page.add_init_script(NOTICES)
    page.clock.install()
    with page.expect_response("**/fragments/notices?*"):
        page.goto("/runs/")
        if switched_on:
            page.keyboard.press("?")
            page.get_by_role("checkbox", name="Notify me by this browser").check()
        page.clock.run_for(1500)
    burning()
    live.publish("overview:sandbox")
    page.clock.run_for(10_000)
    page.locator("#favicon[href*='crit']").wait_for(state="attached")
    assert page.title() == "✖ 1 · Runs · Sandbox"
    assert page.evaluate("told") == (["The API server's CPU is at 96 %"] if switched_on else [])
