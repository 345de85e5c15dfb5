"""The ways a reader may see a page: light or dark, wide or on a phone, in colours for the colour-blind."""

from dataclasses import dataclass
from typing import Any, Literal

from playwright.sync_api import Page, ViewportSize


@dataclass(frozen=True)
class Look:
    """How a reader sees a page: the system's scheme, their own choices, and the size of the screen."""

    name: str
    scheme: Literal["light", "dark"] = "light"
    phone: bool = False
    colour_blind: bool = False

    @property
    def recoloured(self) -> bool:
        """Whether it differs from the plain look in nothing but colours."""
        return (self.scheme == "dark" or self.colour_blind) and not self.phone

    @property
    def size(self) -> ViewportSize:
        return {"width": 390, "height": 844} if self.phone else {"width": 1440, "height": 900}

    def options(self) -> dict[str, Any]:
        """What Playwright's new_context wants."""
        return {
            "viewport": self.size,
            "color_scheme": self.scheme,
            "is_mobile": self.phone,
            "has_touch": self.phone,
        }

    def put_on(self, page: Page) -> None:
        """Change how an open page looks, which is faster than opening it again."""
        page.set_viewport_size(self.size)
        page.emulate_media(color_scheme=self.scheme)
        page.evaluate("on => { document.documentElement.dataset.cvd = on }", "on" if self.colour_blind else "off")


LOOKS = (
    Look("light"),
    Look("dark", scheme="dark"),
    Look("cvd", colour_blind=True),
    Look("cvd-dark", scheme="dark", colour_blind=True),
    Look("phone", phone=True),
)
