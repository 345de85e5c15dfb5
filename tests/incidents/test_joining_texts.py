"""Two people who edit at once lose nothing."""

from hypothesis import given
from hypothesis import strategies as st

from incidents.postmortem.diff import between
from incidents.postmortem.markers import compose, generated, human
from incidents.postmortem.merging import merge3

KEYS = ("one", "two", "three")
BASE = compose([generated("title", "# T"), *(human(key, f"{key}?") for key in KEYS)])
words = st.text(alphabet="abc \n|#>-", min_size=1, max_size=12)
changes = st.dictionaries(st.sampled_from(KEYS), words, max_size=3)


def edited(changed: dict[str, str]) -> str:
    text = BASE
    for key, said in changed.items():
        text = text.replace(f"> {key}?", f"{key}: {said} ({key})")
    return text


@given(changes, changes)
def test_what_either_wrote_is_in_the_joined_text_or_named(theirs: dict[str, str], mine: dict[str, str]) -> None:
    joined = merge3(BASE, edited(theirs), edited(mine))
    for key, said in mine.items():
        assert f"{key}: {said} ({key})" in joined.text
    for key, said in theirs.items():
        assert f"{key}: {said} ({key})" in joined.text or key in joined.both
    assert set(joined.both) <= theirs.keys() & mine.keys()


def test_different_sections_join_without_a_question() -> None:
    joined = merge3(BASE, edited({"one": "theirs"}), edited({"two": "mine"}))
    assert joined.both == ()
    assert joined.text == edited({"one": "theirs", "two": "mine"})


def test_the_same_section_is_named_and_keeps_mine() -> None:
    joined = merge3(BASE, edited({"one": "theirs"}), edited({"one": "mine"}))
    assert joined.both == ("one",)
    assert joined.text == edited({"one": "mine"})


def test_free_text_of_both_is_kept_in_its_place() -> None:
    theirs = BASE.replace("<!-- nova:human two -->", "Theirs.\n\n<!-- nova:human two -->")
    mine = BASE + "\nMine.\n"
    joined = merge3(BASE, theirs, mine)
    assert joined.text == theirs + "\nMine.\n"


def test_a_difference_shows_what_came_and_went_with_a_little_around_it() -> None:
    before = "\n".join(f"line {n}" for n in range(20))
    shown = between(before, before.replace("line 9\n", "other\n"))
    assert [(line.kind, line.text) for line in shown] == [
        ("same", "line 7"),
        ("same", "line 8"),
        ("removed", "line 9"),
        ("added", "other"),
        ("same", "line 10"),
        ("same", "line 11"),
    ]
    assert between(before, before) == []
