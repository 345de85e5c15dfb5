"""Watches what a browser reports while a test drives it: errors, policy violations, requests to other hosts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

from tests.browser.looks import Look

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A label is pressed as well as its box.
SMALL = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
  .filter((one) => one.checkVisibility() && !one.closest(".vh, .skip, .foot"))
  .filter((one) => getComputedStyle(one).display !== "inline")
  .map((one) => [one, (one.matches("[type=checkbox], [type=radio]") && one.labels[0]) || one])
  .filter(([, place]) => place.getBoundingClientRect().height < 43.5)
  .map(([one]) => one.outerHTML.slice(0, 120))"""
# htmx says so of a poll that is under way when its page is left.
LEFT = ("htmx:sendAbort", "htmx:afterRequest")
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.effectiveDirective} blocked ${event.blockedURI}`))"""


@dataclass
class Watch:
    """What went wrong in one browser context. `expected` is what a test provokes on purpose."""

    origin: str
    expected: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)

    def attach(self, context: BrowserContext) -> None:
        """Listen to every page of the context."""
        context.add_init_script(TELL_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", lambda failure: self._note(str(failure.error)))
        context.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._note(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:")):
            self._note(f"request to {request.url}")

    def _note(self, problem: str) -> None:
        if not any(text in problem for text in (*LEFT, *self.expected)):
            self.problems.append(problem)


def axe(page: Page, only: str = "") -> list[str]:
    """What axe finds wrong with the page, one line for each place; empty where it is clean. `only` names one rule."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    wanted = {"type": "rule", "values": [only]} if only else {"type": "tag", "values": TAGS}
    # Details of what is well would take longer than the checks.
    asked = {"runOnly": wanted, "resultTypes": ["violations"], "preload": False}
    found: dict[str, Any] = page.evaluate("asked => axe.run(document, asked)", asked)
    return [f"{rule['id']}: {place['html']}" for rule in found["violations"] for place in rule["nodes"]]


def small(page: Page) -> list[str]:
    """What is pressed and too small for a finger; links within a sentence excepted."""
    found: list[str] = page.evaluate(SMALL)
    return found


def too_wide(page: Page) -> bool:
    """Whether the page scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def faults(page: Page, looks: Iterable[Look]) -> list[str]:
    """What is wrong with the page in each of the looks: what axe finds, and scrolling sideways."""
    found = []
    for look in looks:
        look.put_on(page)
        found += [f"{look.name}: {fault}" for fault in axe(page, "color-contrast" if look.recoloured else "")]
        found += [f"{look.name}: scrolls sideways"] if too_wide(page) else []
    return found
