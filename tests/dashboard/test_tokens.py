"""The colours are readable: text at 4.5 to 1, edges and shapes at 3 to 1, in light, dark and colour-blind looks."""

import re
from pathlib import Path

import pytest
from django.conf import settings

TOKENS = (Path(settings.BASE_DIR) / "static" / "app" / "tokens.css").read_text(encoding="utf-8")
SURFACES = ("bg", "canvas", "surface", "inset")
TEXT = [
    *((name, surface) for name in ("fg", "muted", "link") for surface in SURFACES),
    *((name, "bg") for name in ("ok", "warn", "crit", "info", "neutral", "maint")),
    ("warn", "warn-bg"),
    ("info", "info-bg"),
    ("crit-fg", "crit-bg"),
    ("fg", "crit-tint"),
    ("muted", "crit-tint"),
    ("fg", "warn-bg"),
    ("accent-fg", "accent"),
]
EDGES = [("line-strong", "bg"), ("focus", "bg"), ("focus", "canvas"), ("crit", "crit-tint"), ("accent", "inset")]


def tokens(*, dark: bool, colour_blind: bool) -> dict[str, str]:
    """The colour of each token in one look."""
    blocks = [TOKENS.split('[data-cvd="on"]')[0], TOKENS.split('[data-cvd="on"]')[1].split("}")[0]]
    found: dict[str, str] = {}
    for block in blocks[: 2 if colour_blind else 1]:
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))
        pairs = re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", block)
        found |= {name: on_dark if dark else on_light for name, on_light, on_dark in pairs}
    return found


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2 between two colours."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("colour_blind", [False, True], ids=["plain", "cvd"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [*((front, back, 4.5) for front, back in TEXT), *((front, back, 3.0) for front, back in EDGES)],
)
def test_it_is_readable(front: str, back: str, least: float, *, colour_blind: bool, dark: bool) -> None:
    look = tokens(dark=dark, colour_blind=colour_blind)
    assert contrast(look[front], look[back]) >= least


def test_it_measures_as_the_standard_says() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777", "#fff") == pytest.approx(4.48, abs=0.01)
