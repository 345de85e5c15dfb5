"""The file name of a post-mortem is always safe, short and the same for the same title."""

from datetime import date
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.postmortem.slug import FILE_NAME, MAX_LENGTH, names, slug


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("High CPU", "high-cpu"),
        ("  API: 5xx > 10 % (eu-west-1)!  ", "api-5xx-10-eu-west-1"),
        ("Événements en retard", "evenements-en-retard"),
        ("../../etc/passwd", "etc-passwd"),
        ("日本", "incident"),
        ("", "incident"),
        ("a" * 80, "a" * MAX_LENGTH),
        ("word " * 20, "-".join(["word"] * 12)),
    ],
)
def test_it_makes_a_slug_by_the_documented_rules(title: str, expected: str) -> None:
    assert slug(title) == expected


@given(st.text(max_size=200), st.dates(min_value=date(1000, 1, 1)))
def test_any_title_makes_safe_names_that_differ(title: str, started: date) -> None:
    first = list(islice(names(started, title), 3))
    assert len(set(first)) == 3
    for name in first:
        assert FILE_NAME.fullmatch(name)
        assert len(name) <= len("YYYY-MM-DD-") + MAX_LENGTH + len("-2.md")
        assert name.startswith(started.isoformat())
