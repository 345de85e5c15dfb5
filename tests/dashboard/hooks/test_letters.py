"""Texts of messages: one line that can be shown, whatever a sender writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.hooks.letters import JOINERS, Unreadable, text

UNSHOWN = ("\x00", "\n", "\x9b", "\u2028", "\u202e", "\u200b", "\ud800", "\ue000", "\U00062d78")


@pytest.mark.parametrize("unshown", UNSHOWN, ids=ascii)
def test_what_cannot_be_shown_is_a_space(unshown: str) -> None:
    assert text(f"disk{unshown}{unshown}full", 255) == "disk full"
    with pytest.raises(Unreadable, match="name is missing"):
        text(unshown, 255, needed="name")


def test_the_joiners_of_scripts_and_emoji_stay_and_are_no_text_by_themselves() -> None:
    written = "می\u200cروم \U0001f469\u200d\U0001f692"
    assert text(written, 255) == written
    with pytest.raises(Unreadable):
        text(JOINERS, 255, needed="name")


@given(st.text(st.characters()), st.integers(1, 300))
def test_any_text_is_one_short_line_and_nothing_that_can_be_shown_is_lost(written: str, longest: int) -> None:
    told = text(written, longest)
    assert len(told) <= longest
    assert all(one.isprintable() or one in JOINERS for one in told)
    kept = "".join(one for one in written if one.isprintable() or one in JOINERS).replace(" ", "")
    assert kept.startswith(told.replace(" ", ""))
