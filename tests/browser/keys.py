"""Walks through a page by keys alone, and at every key asks whether one sees where one is."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

# A pointer would prove nothing here: it is an error of the page, which every page's watch reports.
NO_POINTER = """for (const kind of ["pointerdown", "mousedown", "touchstart"])
  addEventListener(kind, () => console.error(`a pointer was used: ${kind}`), true)"""
# What is wrong with the place of the focus; empty where it is seen whole, or as much of it as the window holds.
WRONG = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return "nothing has the focus";
  const frame = one.closest(".tile") || one;
  const name = one.outerHTML.slice(0, 200);
  if (getComputedStyle(frame).outlineStyle === "none") return `the focus on ${name} does not show`;
  const box = one.getBoundingClientRect();
  const top = Math.max(box.top, 0) + 1, bottom = Math.min(box.bottom, innerHeight) - 1;
  const cut = box.height < innerHeight / 2 && (box.top < -1 || box.bottom > innerHeight + 1);
  if (cut || bottom < top) return `${name} is out of sight`;
  const across = Math.min(Math.max(box.left + Math.min(box.width / 2, 20), 1), innerWidth - 1);
  const over = [top, bottom].map((down) => document.elementFromPoint(across, down));
  const free = (hit) => hit && (one.contains(hit) || hit.contains(one) || hit.closest("label")?.control === one);
  const tall = box.height > innerHeight / 2;
  const covered = tall ? !over.some(free) : !over.every(free);
  return covered ? `${name} is covered by ${over.find((hit) => !free(hit))?.className}` : "";
}"""
HAS_FOCUS = "one => one === document.activeElement"
FURTHEST = 150


@dataclass
class Keys:
    """The hands of somebody who has no mouse: counts what is pressed, and fails where the focus cannot be seen."""

    page: Page
    pressed: int = 0

    def __post_init__(self) -> None:
        self.page.context.add_init_script(NO_POINTER)

    def press(self, *keys: str) -> None:
        """Press keys that stay on the page."""
        for key in keys:
            self._press(key)
            self.see()

    def leave(self, *keys: str, to: str) -> None:
        """Press keys, the last of which leads to another page."""
        self.press(*keys[:-1])
        with self.page.expect_navigation(url=to, wait_until="load"):
            self._press(keys[-1])

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)
        self.pressed += len(text)

    def tab_to(self, place: Locator, key: str = "Tab") -> None:
        """Press Tab until the place has the focus."""
        for _ in range(FURTHEST):
            if place.evaluate(HAS_FOCUS):
                return
            self.press(key)
        raise AssertionError(f"{place} is not reached by {key}")

    def at(self, place: Locator) -> None:
        """The place has the focus, and one sees that."""
        expect(place).to_be_focused()
        self.see()

    def see(self) -> None:
        wrong: Any = self.page.evaluate(WRONG)
        assert not wrong, wrong

    def _press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.pressed += 1
