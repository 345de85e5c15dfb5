"""Signing in, and the pages of errors, as visitors meet them."""

from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from playwright.sync_api import Route

from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS
from tests.browser.watch import axe, faults

PASSWORD = "a-long-enough-password"


def test_signing_in_is_accessible_in_every_look(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/accounts/login/")
    assert faults(page, LOOKS) == []


def test_a_wrong_password_is_told_and_accessible(open_page: OpenPage, viewer: User) -> None:
    page = open_page()
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(viewer.username)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    assert axe(page) == []


def test_signing_in_leads_to_the_overview_and_out_again(open_page: OpenPage, viewer: User) -> None:
    viewer.set_password(PASSWORD)
    viewer.save()
    page = open_page()
    page.goto("/")
    page.get_by_label("Username").fill(viewer.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#overview").wait_for()
    page.locator("summary", has_text=viewer.username).click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Username").wait_for()


@pytest.mark.long(4)
def test_a_poll_that_a_new_proof_overtook_is_asked_again_and_an_ended_session_leads_to_the_sign_in(
    open_page: OpenPage, viewer: User
) -> None:
    page = open_page(user=viewer, expect=("401",))
    page.goto("/")
    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        refused.append(route)
        route.fulfill(status=401, headers={"HX-Redirect": "/accounts/login/?next=%2F"})

    refresh = "htmx.trigger(document.querySelector('#overview'), 'refresh')"
    page.route("**/fragments/overview*", refuse_once, times=1)
    with page.expect_response(lambda answer: answer.status == 401):
        page.evaluate(refresh)
    with page.expect_response(lambda answer: "/fragments/overview" in answer.url and answer.status < 300):
        page.evaluate(refresh)
    assert (urlsplit(page.url).path, len(refused)) == ("/", 1)
    Session.objects.all().delete()
    cache.clear()
    for _ in range(2):
        with page.expect_response(lambda answer: answer.status == 401):
            page.evaluate(refresh)
    page.wait_for_url("**/accounts/login/?next=%2F")


def test_signing_in_works_without_javascript(open_page: OpenPage, viewer: User) -> None:
    viewer.set_password(PASSWORD)
    viewer.save()
    page = open_page(java_script_enabled=False)
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(viewer.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#overview").wait_for()


@pytest.mark.parametrize("path", ["/accounts/password/change/", "/accounts/logout/", "/accounts/reauthenticate/"])
def test_account_pages_are_accessible(open_page: OpenPage, viewer: User, path: str) -> None:
    viewer.set_password(PASSWORD)
    viewer.save()
    page = open_page(user=viewer)
    page.goto(path)
    assert axe(page) == []


def test_a_missing_page_is_accessible_and_leads_back(open_page: OpenPage, viewer: User) -> None:
    page = open_page(user=viewer, expect=("404",))
    page.goto("/nothing/here/")
    assert page.get_by_role("heading", name="There is no such page").is_visible()
    assert faults(page, LOOKS) == []
    page.get_by_role("link", name="Go to the overview").click()
    page.locator("#overview").wait_for()


def test_nobody_registers(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/accounts/signup/")
    assert page.get_by_role("heading", name="Nobody registers here").is_visible()
    assert axe(page) == []
