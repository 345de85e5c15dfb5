"""Rendered markdown is harmless and shows neither markers nor front matter."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.postmortem.markers import compose, front, generated, human
from incidents.postmortem.render import TAGS, normalised, render
from tests.incidents.drilled import elsewhere, lines

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    '<a href="https://x" hx-get="/runs/">x</a>',
    "<form action=/incidents/1/reopen method=post><input name=reason></form>",
    "<div sse-connect=/x data-hx-post=/y>z</div>",
    "![x](https://evil.example/p.png)",
    '<p style="position:fixed" class="notice" id="refusal">x</p>',
    "<svg><script>alert(1)</script></svg>",
    "[x](https://a.example 'onmouseover=alert(1)')",
    "<!-- nova:end summary --> <b>bold</b>",
    "|a|\n|:-:|\n|<iframe src=x>|",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_it_renders_only_the_allowed_tags_and_attributes(payload: str) -> None:
    html = render(payload)
    tags = re.findall(r"<\s*/?\s*([a-zA-Z][\w-]*)([^>]*)>", html)
    assert {tag.lower() for tag, _ in tags} <= TAGS
    attributes = {name for _, rest in tags for name in re.findall(r"([\w:-]+)\s*=", re.sub(r'"[^"]*"', '""', rest))}
    assert attributes <= {"href", "rel", "start", "tabindex"}
    assert not re.search(r'href="\s*(javascript|data|vbscript):', html, re.IGNORECASE)


def test_it_shows_neither_front_matter_nor_markers() -> None:
    html = render(
        compose([front("incident: 7"), generated("title", "# INC-7"), generated("t", "| a |\n| --- |\n| b |")])
    )
    assert "incident: 7" not in html
    assert "nova:" not in html
    assert "<h1>INC-7</h1>" in html
    assert '<table tabindex="0">' in html


def test_it_keeps_links_and_makes_them_safe_to_follow() -> None:
    assert render("[run](https://nova.example/runs/1/)") == (
        '<p><a href="https://nova.example/runs/1/" rel="noopener noreferrer nofollow">run</a></p>\n'
    )


# But for images, which are links here: the linter points at them.
PIECES = [
    *(payload for payload in PAYLOADS if "![" not in payload),
    "```\ncode",
    "~~~~",
    "<!-- open",
    "<details>\n<summary>x",
    "Title\n===",
    "a | b\n--- | ---\nc | d",
    "[x]: http://evil.example",
    "[x] [^1]",
    "[^1]: note",
    "---\nincident: 9\n---",
    "https://evil.example www.evil.example a@b.example",
    ":tada: 🔥 @somebody #1",
    "\u202eabc\u200b",
    "w" * 3000,
    "a\r\nb\x00c",
    "</svg></figure>",
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), st.sampled_from(["\n\n", "\n", " "]))
def test_whatever_people_write_reads_elsewhere_as_in_the_preview(pieces: list[str], between: str) -> None:
    parts = [front("incident: 7"), generated("title", "# INC-7"), human("story", "What?"), generated("end", "The end.")]
    text = normalised(compose(parts).replace("> What?", between.join(pieces)))
    assert lines(elsewhere(text)) == lines(render(text))
