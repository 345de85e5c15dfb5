"""Foreign text stays in its place, whatever it is."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from incidents.postmortem.chart import folded
from incidents.postmortem.escape import clean, fence, inline, link, table, yaml_string
from incidents.postmortem.markers import compose, front, generated, parse

HOSTILE = [
    "a | b",
    "a \\| b",
    "trailing \\",
    "`code",
    "<script>alert(1)</script>",
    "<!-- nova:end summary -->",
    "[x](javascript:alert(1))",
    "![x](http://evil.example/p.png)",
    "# heading",
    "---",
    "===",
    "1. list",
    "- item",
    "> quote",
    "*bold* _it_ ~~no~~",
    "line\nbreak\r\n| new | row |",
    "http://evil.example www.evil.example",
    "&lt;b&gt; &copy;",
    "\u202egnp.exe",
    "a\x00b\x1bc",
    "[^1] [x]: http://evil.example",
    "root@evil.example _www.evil.example",
    "C #",
    "## all # of ###",
    "a\u200bb\u2060c\xadd\u3164e",
    "\u061cab\u2067cd\u2069",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u0645\u06cc\u200c\u062e",
    "\U000e0041\U000e0042 tag",
    "w" * 5000,
    "</svg></details><hr>",
    "<https://evil.example> <a@b.c>",
    "==== ---- ++++",
    "    indented",
    "| --- | --- |",
    "[x]: http://evil.example 'y'",
    "- [ ] task",
    "2) two",
    ":tada: 🔥",
]
anything = st.one_of(st.text(max_size=80), st.text(alphabet=string.punctuation + " \n\tax1", max_size=40))
gfm = MarkdownIt("gfm-like", {"linkify": False, "html": True})


def words_of(source: str) -> str:
    """What a reader of the rendered paragraph sees."""
    tokens = gfm.parse(source)
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"]), tokens
    children = tokens[1].children or [] if tokens else []
    return read(children)


def read(children: list[Token]) -> str:
    """The words among inline nodes, which are nothing but words and the comment that keeps addresses apart."""
    words = [child for child in children if (child.type, child.content) != ("html_inline", "<!-- -->")]
    assert {child.type for child in words} <= {"text", "text_special"}
    return "".join(child.content for child in words)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_reads_as_it_was_written(text: str) -> None:
    assert words_of(inline(text)) == clean(text)


@given(anything)
def test_any_title_makes_one_heading(title: str) -> None:
    tokens = gfm.parse(f"# INC-1: {inline(title)}")
    assert [token.type for token in tokens] == ["heading_open", "inline", "heading_close"]
    assert read(tokens[1].children or []).strip() == f"INC-1: {clean(title)}".strip()


@given(anything)
def test_any_text_reads_as_it_was_written(text: str) -> None:
    assert words_of(inline(text)) == clean(text)


@given(st.lists(st.tuples(anything, anything), min_size=1, max_size=4))
def test_any_texts_make_one_valid_row_each(cells: list[tuple[str, str]]) -> None:
    source = table(["A", "B"], [[inline(first), inline(second)] for first, second in cells])
    tokens = gfm.parse(source)
    assert tokens[0].type == "table_open"
    assert tokens[-1].type == "table_close"
    inlines = [token for token in tokens if token.type == "inline"]
    shown = [read(token.children or []) for token in inlines]
    assert shown == ["A", "B", *(clean(text) for pair in cells for text in pair)]


@given(anything)
def test_any_title_makes_one_front_matter_value(title: str) -> None:
    yaml = pytest.importorskip("yaml")
    source = f"incident: 1\ntitle: {yaml_string(title)}\nend: true"
    assert yaml.safe_load(source) == {"incident": 1, "title": clean(title), "end": True}
    assert "---" not in source.splitlines()


@given(anything)
def test_any_lines_stay_inside_their_fence(text: str) -> None:
    tokens = gfm.parse(fence(text))
    assert [token.type for token in tokens] == ["fence"]


@given(
    st.lists(
        st.sampled_from([*HOSTILE, "<!-- nova:end evidence -->", "<!-- nova:human x -->", "````", "~~~", "---", "x"])
    )
)
def test_no_line_of_a_log_passes_for_a_marker_of_the_document(lines: list[str]) -> None:
    body = folded("1 \r\n<!-- nova:end evidence -->", fence("\n".join(lines)))
    parts = parse(compose([front("incident: 1"), generated("evidence", body), generated("end", "End.")]))
    assert [(part.key, part.edited) for part in parts if part.key] == [
        ("front", False),
        ("evidence", False),
        ("end", False),
    ]


def test_what_nobody_sees_is_taken_out_and_joiners_of_scripts_stay() -> None:
    assert clean("ad\u200bmin\u2060 \u202egnp.exe") == "admin gnp.exe"
    assert clean("\U0001f468\u200d\U0001f467") == "\U0001f468\u200d\U0001f467"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "vbscript:x", "\\\\evil"])
def test_it_links_only_to_web_addresses(url: str) -> None:
    assert link("text", url) == "text"


@given(anything, anything)
def test_any_address_stays_one_link(text: str, path: str) -> None:
    source = link(f"x{text}", f"https://nova.example/{path}")
    tokens = gfm.parse(source)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    kinds = [child.type for child in tokens[1].children or []]
    assert kinds[0] == "link_open"
    assert kinds[-1] == "link_close"
    assert "|" not in source
