"""Every page in every state and look: readable by all, no wider than the screen, nothing the policy forbids."""

import pytest
from playwright.sync_api import Page

from tests.browser import gallery
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS, Look
from tests.browser.watch import axe, faults, small

NAMES = tuple(gallery.pages())
# The focused element's words (empty beyond the last, and back at the first) and whether one sees that it has the focus.
FOCUSED = """(() => {
  const one = document.activeElement;
  if (one === document.body || one.dataset.reached) return ["", true];
  one.dataset.reached = "yes";
  const frame = getComputedStyle(one.closest(".tile") || one).outlineStyle;
  return [one.textContent.trim().replace(/\\s+/g, " "), frame !== "none"];
})()"""


def show(page: Page, name: str, path: str = "/accounts/login/") -> None:
    """Put the gallery's page in the place of a real one, under the real one's headers; its polls find no change."""
    html = gallery.render(name)
    for polled in ("**/*rev=*", "**/services/*/detail/*"):
        page.route(polled, lambda route: route.fulfill(status=204))
    page.route(f"**{path}", lambda route: route.fulfill(response=route.fetch(), body=html))
    page.goto(path)
    page.wait_for_load_state("load")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_accessible_in_every_look(open_page: OpenPage, name: str) -> None:
    page = open_page()
    show(page, name)
    assert faults(page, LOOKS) == []


def test_what_is_pressed_on_a_phone_is_large_enough(open_page: OpenPage) -> None:
    page = open_page(Look("phone", phone=True))
    show(page, "burning")
    assert small(page) == []


def test_offline_actions_wait_and_say_why(open_page: OpenPage) -> None:
    page = open_page(expect=("ERR_INTERNET_DISCONNECTED", "htmx:sendError"))
    show(page, "burning")
    page.locator("#live", has_text="Live").wait_for()
    page.context.set_offline(True)
    page.locator("#live", has_text="Offline").wait_for()
    action = page.locator("#offers [data-act]", has_text="Scale the API server")
    assert action.get_attribute("aria-disabled") == "true"
    action.click(force=True)
    page.locator("#toast", has_text="No connection to NovaOps").wait_for()
    assert page.url.endswith("/accounts/login/")
    page.context.set_offline(False)
    page.locator("#live", has_text="Live").wait_for()
    assert action.get_attribute("aria-disabled") is None


def test_a_refused_action_stays_refused_and_says_why(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "burning")
    refused = page.locator("#offers [data-act]", has_text="Restart the API server")
    refused.click(force=True)
    page.locator("#toast", has_text="Run 7 is on nova-api.").wait_for()


def test_the_tab_tells_the_state(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "burning")
    page.locator("#live", has_text="Live").wait_for()
    assert page.title().startswith("✖ 1 · Overview")
    assert "favicon-crit" in str(page.locator("#favicon").get_attribute("href"))


def test_a_change_is_announced_once_and_in_words(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "calm")
    page.locator("#live", has_text="Live").wait_for()
    page.unroute("**/*rev=*")
    burning = gallery.render("burning")
    start = burning.index('<div class="overview"')
    fragment = burning[start : burning.index("</main>")]
    page.route("**/*rev=*", lambda route: route.fulfill(body=fragment, content_type="text/html"))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("#announcer", has_text="API server: Healthy → Critical").wait_for(state="attached")
    assert "Redis: Healthy → Stale" in str(page.locator("#announcer").text_content())
    assert page.title().startswith("✖ 1")


def test_polling_goes_on_after_a_swap_and_never_doubles(open_page: OpenPage) -> None:
    page = open_page()
    page.clock.install()
    show(page, "calm")
    calm = gallery.render("calm")
    fragment = calm[calm.index('<div class="overview"') : calm.index("</main>")]
    page.unroute("**/*rev=*")
    polls: list[str] = []

    def answer(route: object) -> None:
        polls.append("poll")
        route.fulfill(body=fragment, content_type="text/html")  # type: ignore[attr-defined]

    page.route("**/*rev=*", answer)
    for expected in (1, 2, 3):
        with page.expect_response("**/*rev=*"):
            page.clock.run_for(5_100)
        page.clock.run_for(500)
        assert len(polls) == expected


def test_what_the_reader_unfolded_stays_unfolded(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "running")
    html = gallery.render("running")
    fragment = html[html.index('<div class="stack" id="run"') : html.index("</main>")]
    page.evaluate("document.querySelector('#run').insertAdjacentHTML('afterbegin', '<details id=kept open></details>')")
    page.unroute("**/*rev=*")
    body = fragment.replace(">", "><details id=kept></details><i id=new></i>", 1)
    page.route("**/*rev=*", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("#new").wait_for(state="attached")
    assert page.locator("#kept").get_attribute("open") is not None


def test_a_command_is_copied(open_page: OpenPage) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    show(page, "preview")
    page.get_by_role("button", name="Copy the command").click()
    page.locator("[data-copy]", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("aws ecs update-service")


def test_a_destructive_button_under_a_finger_must_be_held(open_page: OpenPage) -> None:
    page = open_page(Look("phone", phone=True))
    show(page, "preview")
    page.get_by_label("Why?").fill("CPU at 93 %")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.locator("[data-hold]").tap()
    page.locator("#toast", has_text="Hold the button").wait_for()
    assert "POST" not in sent


def test_a_destructive_button_that_is_held_confirms(open_page: OpenPage) -> None:
    page = open_page(Look("phone", phone=True))
    page.clock.install()
    show(page, "preview")
    page.route("**/runs", lambda route: route.fulfill(body="<title>sent</title>", content_type="text/html"))
    page.get_by_label("Why?").fill("CPU at 93 %")
    button = page.locator("[data-hold]")
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box
    finger = {"x": box["x"] + 20, "y": box["y"] + 10}
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [finger]})
    page.locator(".holding").wait_for()
    with page.expect_request(lambda request: request.method == "POST"):
        page.clock.run_for(1500)


def test_display_choices_hold_on_the_next_page(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "calm")
    page.locator("#live", has_text="Live").wait_for()
    page.keyboard.press("?")
    page.get_by_role("radio", name="Dark").check()
    page.get_by_role("checkbox", name="Turn single keys off").check()
    assert axe(page) == []
    page.keyboard.press("Escape")
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.keyboard.press("?")
    assert not page.locator("#display").is_visible()
    assert page.evaluate("Object.keys(localStorage)") == ["display"]


def test_the_keyboard_reaches_everything_and_shows_where_it_is(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "burning")
    reached: list[str] = []
    while len(reached) < 60:
        page.keyboard.press("Tab")
        name, shows = page.evaluate(FOCUSED)
        if not name:
            break
        assert shows, f"the focus on {name!r} does not show"
        reached.append(name)
    assert reached[0] == "Skip to content"
    assert {"Overview", "Open INC-42", "API server", "Event processor"} <= set(reached)
    assert any(name.startswith("Scale the API server") for name in reached)


def test_g_then_a_letter_goes_to_a_page(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "calm")
    page.locator("#live", has_text="Live").wait_for()
    with page.expect_request("**/runs/"):
        page.keyboard.press("g")
        page.keyboard.press("r")
