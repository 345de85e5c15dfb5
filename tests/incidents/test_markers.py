"""Generating again renews what was generated and never touches what people wrote."""

from hypothesis import given
from hypothesis import strategies as st

from incidents.postmortem.markers import Kind, compose, front, generated, human, merge, parse

FIRST = [
    front("incident: 1"),
    generated("summary", "## Summary\n\nOld."),
    human("story", "Tell."),
    generated("end", "Old end."),
]
FRESH = [
    front("incident: 2"),
    generated("summary", "## Summary\n\nNew."),
    human("story", "Tell."),
    generated("end", "New end."),
]
line = st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30).filter(
    lambda text: "<!-- nova:" not in text
)


def test_a_document_comes_apart_as_it_was_put_together() -> None:
    parts = parse(compose(FIRST))
    assert [(part.kind, part.key) for part in parts if part.kind != Kind.TEXT] == [
        (part.kind, part.key) for part in FIRST
    ]
    assert not any(part.edited for part in parts)


@given(st.text(alphabet=st.sampled_from(list("ab\n<!-> :novagenrtdhumsy/01")), max_size=300))
def test_any_text_comes_apart_without_losing_a_character(text: str) -> None:
    assert "".join(part.raw for part in parse(text)) == text


def test_it_renews_untouched_parts() -> None:
    text, kept = merge(compose(FIRST), FRESH)
    assert text == compose(FRESH)
    assert kept == []


@given(st.lists(line, max_size=5))
def test_it_keeps_whatever_a_person_wrote_in_a_human_section(lines: list[str]) -> None:
    written = "\n".join(lines)
    text = compose(FIRST).replace("> Tell.", written)
    merged, _ = merge(text, FRESH)
    assert f"<!-- nova:human story -->\n\n{written}\n\n<!-- nova:end story -->" in merged
    assert "New." in merged
    assert "Old." not in merged


def test_it_keeps_a_generated_part_that_a_person_edited_and_names_it() -> None:
    text = compose(FIRST).replace("Old.", "What really happened.")
    merged, kept = merge(text, FRESH)
    assert "What really happened." in merged
    assert "New." not in merged
    assert "New end." in merged
    assert kept == ["summary"]


def test_it_keeps_text_between_parts() -> None:
    text = compose(FIRST).replace("<!-- nova:human story -->", "## Our own heading\n\n<!-- nova:human story -->")
    merged, _ = merge(text, FRESH)
    assert "## Our own heading\n\n<!-- nova:human story -->" in merged


def test_a_block_with_a_broken_marker_is_kept_and_generated_anew() -> None:
    text = compose(FIRST).replace("<!-- nova:end summary -->\n", "")
    merged, _ = merge(text, FRESH)
    assert "Old." in merged
    assert "New." in merged


def test_it_adds_a_missing_part_after_its_predecessor() -> None:
    text = compose([part for part in FIRST if part.key != "story"])
    merged, _ = merge(text, FRESH)
    assert merged.index("New.") < merged.index("> Tell.") < merged.index("New end.")


def test_merging_twice_changes_nothing_more() -> None:
    once, _ = merge(compose(FIRST).replace("> Tell.", "My words"), FRESH)
    assert merge(once, FRESH)[0] == once


edits = st.lists(
    st.tuples(
        st.sampled_from(["answer", "between", "edit", "delete", "twice", "break", "generate"]),
        st.sampled_from(["front", "summary", "story", "end"]),
    ),
    max_size=8,
)


@given(edits)
def test_no_order_of_edits_and_generations_loses_a_word_of_people(steps: list[tuple[str, str]]) -> None:
    text, words = compose(FIRST), list[str]()
    for number, (what, key) in enumerate(steps):
        said, parts = f"Said {number}.", parse(text)
        at = next((at for at, part in enumerate(parts) if part.key == key), None)
        if what == "generate" or at is None:
            text = merge(text, FRESH)[0]
        elif what == "delete" and parts[at].kind == Kind.GENERATED and not parts[at].edited:
            text = compose([part for part in parts if part is not parts[at]])
        elif what == "twice" and key != "front":
            text = text + "\n" + parts[at].raw
        elif what == "break" and key != "front":
            text = text.replace(f"<!-- nova:end {key} -->\n", f"{said}\n", 1)
            words.append(said)
        elif what == "between":
            text = text.replace(parts[at].raw, f"{parts[at].raw.rstrip()}\n\n{said}\n", 1)
            words.append(said)
        elif what in ("answer", "edit"):
            closing = "---" if key == "front" else f"<!-- nova:end {key} -->"
            head, found, tail = parts[at].raw.rpartition(closing)
            text = text.replace(parts[at].raw, f"{head}{said}\n{found}{tail}", 1)
            words.append(said)
    for fresh in (FRESH, FIRST, FRESH):
        text, _ = merge(text, fresh)
        assert [said for said in words if said not in text] == []
