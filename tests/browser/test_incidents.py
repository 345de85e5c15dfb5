"""Incidents as commanders meet them: every page in every look, and a composer that no poll touches."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from incidents import checklist, telling
from incidents import incident as decide
from incidents.models import FollowUp, Incident
from incidents.telling import Said
from novaops.outbox.models import Message
from tests.browser.conftest import Look, OpenPage
from tests.browser.watch import axe, small, too_wide
from tests.incidents.conftest import clear, declare, make_alert, make_run, place, worked

__all__ = ["clear", "declare", "make_alert", "make_run", "place", "worked"]
Declare = Callable[..., Incident]
# The gallery shows these parts in every look, and the tokens are readable in each: here it is the pages, by touch, and
# the two largest of them on a desk.
PHONE, DESKTOP = Look("phone-dark", scheme="dark", phone=True), Look("light")
STEPS = ("detect", "assess", "communicate", "mitigate", "resolve", "postmortem")


def told_in_every_state(number: int, by: User) -> None:
    telling.name_at_pagerduty(number, "Q1PD", by=by)
    for state in Message.State.values:
        telling.tell(number, Said(slack="We are on it. " * 9, page="We look.", pagerduty=True), by=by, key=state)
        queued = Message.objects.filter(incident=number, state="queued", attempts=0)
        queued.update(state=state, sentence="Slack is throttling", attempts=2)


@pytest.mark.long(11)
@pytest.mark.usefixtures("sandbox")
def test_every_page_of_an_open_incident_is_accessible(open_page: OpenPage, declare: Declare, commander: User) -> None:
    incident = declare(commander, impact="Logins fail for every merchant")
    number = incident.number
    decide.note(number, "A long word: " + "x" * 120, by=commander)
    decide.add_follow_up(number, FollowUp(title="Scale earlier", kind="prevent"), by=commander)
    checklist.override(number, "communicate", "Slack is down as well", by=commander)
    told_in_every_state(number, commander)
    page = open_page(PHONE, user=commander)
    paths = [reverse("incidents:step", args=[number, key]) for key in STEPS]
    paths += [reverse("incidents:list"), reverse("incidents:new"), reverse("incidents:follow_ups", args=[number])]
    paths += [reverse("incidents:moments", args=[number]), reverse("incidents:merge", args=[number])]
    paths += [reverse("incidents:drills")]
    paths += [reverse("incidents:roles", args=[number]), reverse("incidents:summary", args=[number])]
    paths += [reverse("outbox:messages")]
    for path in (*paths, incident.get_absolute_url()):
        page.goto(path)
        assert (path, axe(page), small(page), too_wide(page)) == (path, [], [], False)
    DESKTOP.put_on(page)
    assert (axe(page), too_wide(page)) == ([], False)


@pytest.mark.long(9)
def test_every_page_of_a_post_mortem_is_accessible(open_page: OpenPage, worked: Incident, commander: User) -> None:
    number = checklist.complete(worked.number, "resolve", by=commander).number
    page = open_page(PHONE, user=commander)
    decide.add_follow_up(number, FollowUp(title="Scale earlier", kind="prevent"), by=commander)
    paths = [reverse(f"learning:{name}") for name in ("library", "follow_ups", "lessons")]
    names = ("postmortem_edit", "postmortem_versions", "postmortem_print", "room", "postmortem")
    for path in (*paths, *(reverse(f"incidents:{name}", args=[number]) for name in names)):
        page.goto(path)
        assert (path, axe(page), small(page), too_wide(page)) == (path, [], [], False)
    DESKTOP.put_on(page)
    assert (axe(page), too_wide(page)) == ([], False)


def test_the_preview_follows_what_is_typed(open_page: OpenPage, worked: Incident, commander: User) -> None:
    number = checklist.complete(worked.number, "resolve", by=commander).number
    page = open_page(user=commander)
    page.goto(reverse("incidents:postmortem_edit", args=[number]))
    page.get_by_label("Markdown").fill("# Quite another text <script>alert(1)</script>")
    page.locator("#preview h1", has_text="Quite another text").wait_for()
    assert page.locator("#preview script").count() == 0
    page.locator("#findings", has_text="<script> is left out").wait_for()
    page.locator("#findings", has_text="No follow-up is written down.").wait_for()
    page.locator("#kept", has_text="not saved as a version yet").wait_for()
    page.get_by_role("button", name="Save").click()
    page.locator("main", has_text="Version 2 is saved.").wait_for()


def test_a_viewer_reads_the_room_without_javascript(
    open_page: OpenPage, declare: Declare, commander: User, viewer: User
) -> None:
    incident = declare(commander)
    page = open_page(user=viewer, java_script_enabled=False)
    page.goto(incident.get_absolute_url())
    assert page.get_by_role("button", name="Take command").is_disabled()
    assert page.get_by_text("ask a responder or commander").first.is_visible()
