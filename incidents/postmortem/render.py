"""Markdown as safe HTML for the preview: CommonMark with GFM tables and strikethrough, then an allowlist of tags.

The allowlist is what decides: whatever HTML a text carries, only these tags and attributes are left. A renderer of
CommonMark or GFM with the same allowlist shows the exported file alike; images stay links here.
"""

import re
from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

MAX_BYTES = 200 * 1024
# How many rendered documents a process keeps.
KEPT = 16
TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "del"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "a"),
    *("details", "summary", "figure", "figcaption", "svg", "path", "line"),
}
DRAWN = {"stroke", "stroke-width", "stroke-dasharray"}
FRONT_MATTER = re.compile(r"\A---\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
parser = MarkdownIt("gfm-like", {"html": True, "linkify": False}).disable(["image", "linkify"])
cleaner = nh3.Cleaner(
    tags=TAGS,
    attributes={
        "*": set(),
        "a": {"href"},
        "ol": {"start"},
        "svg": {"viewBox", "width", "height", "role", "aria-label"},
        "path": {"d", "fill", *DRAWN},
        "line": {"x1", "y1", "x2", "y2", *DRAWN},
    },
    # Wide tables scroll by themselves, which the keyboard must reach.
    set_tag_attribute_values={"table": {"tabindex": "0"}},
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)


def normalised(text: str) -> str:
    """Text as it is stored: line feeds only, no NUL, which PostgreSQL refuses."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def render(source: str) -> SafeString:
    """The document without front matter and markers. Longer than MAX_BYTES is refused by the form, not here."""
    return mark_safe(_html(normalised(source)))  # noqa: S308 (nh3 keeps only the allowlist above)


@lru_cache(maxsize=KEPT)
def _html(source: str) -> str:
    """A long document takes a tenth of a second, and is read more often than written."""
    # Markers are comments, which the cleaner drops: taken out before, what people leave open would end elsewhere.
    return cleaner.clean(parser.render(FRONT_MATTER.sub("", source)))
