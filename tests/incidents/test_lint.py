"""The linter points at what a post-mortem lacks, and is quiet about what is fine."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.postmortem.lint import Check, Known, lint
from incidents.postmortem.markers import compose, generated, human
from incidents.postmortem.story import FollowUpFact

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINE = FollowUpFact(title="Scale earlier", kind="prevent", owner="ada", due=date(2026, 3, 8), state="open")


def checks(text: str, **known: object) -> list[Check]:
    facts = Known(**{"follow_ups": [FINE], **known})  # type: ignore[arg-type]
    return [finding.check for finding in lint(text, facts)]


@pytest.mark.parametrize(
    "words",
    [
        "It was human error.",
        "Bob forgot to check the pool.",
        "That was Grace's fault",
        "We blame the vendor",
        "They should have known",
        "A careless change",
    ],
)
def test_it_points_at_blame(words: str) -> None:
    assert checks(words) == [Check.BLAME]


@pytest.mark.parametrize(
    "words", ["A blameless review.", "The pool was too small for the load.", "The fault line runs between services."]
)
def test_it_is_quiet_about_plain_words(words: str) -> None:
    assert checks(words) == []


@pytest.mark.parametrize(
    "words",
    [
        "```\nERROR user error: failed to read config, 42 requests\n```",
        "~~~~ text\n~~~\nstupid\n~~~~",
        "The log said `user error: 42 requests`.",
        "The log said ``failed to read `x` ``.",
        'The message was "user error", which the client sent.',
        "Der Text war „human error“, so the alert said.",
        "  > It was human error, wrote the vendor.",
    ],
)
def test_what_is_only_quoted_is_nobodys_blame(words: str) -> None:
    assert checks(words) == []


def test_after_a_quotation_it_listens_again() -> None:
    assert checks("```\nuser error\n```\nIt was human error.") == [Check.BLAME]
    assert checks("It was human error. `x`") == [Check.BLAME]


@pytest.mark.parametrize("words", ["```\nERROR", "~~~~\n~~~", "<details>\n\nx", "<svg> <svg></svg>"])
def test_what_would_swallow_the_sections_below_is_pointed_at(words: str) -> None:
    assert checks(words) == [Check.SHOWN]


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2067", "\xad"])
def test_what_nobody_sees_is_pointed_at(hidden: str) -> None:
    assert checks(f"pay{hidden}load\tx") == [Check.SHOWN]
    assert checks("a\tb \U0001f468\u200d\U0001f467") == []


@pytest.mark.parametrize("figure", ["1200 customers", "12 % of them", "€ 4,000", "3 tickets", "2 million requests"])
def test_a_figure_without_a_source_is_pointed_at(figure: str) -> None:
    assert checks(f"It hit {figure}.") == [Check.SOURCE]
    assert checks(f"It hit {figure} (counted in the support queue).") == []
    assert checks(f"It hit {figure}, see [the list](https://x.example).") == []


def test_a_generated_part_is_only_looked_at_once_somebody_edited_it() -> None:
    text = compose([generated("impact", "42 customers, human error")])
    assert checks(text) == []
    assert checks(text.replace("42", "43")) == [Check.BLAME, Check.SOURCE]


def test_a_section_that_nobody_answered_is_named_with_its_line() -> None:
    text = compose([generated("title", "# T"), human("story", "What happened?")])
    (finding,) = lint(text, Known(follow_ups=[FINE]))
    assert (finding.check, finding.stops) == (Check.EMPTY, True)
    assert text.splitlines()[finding.line - 1] == "<!-- nova:human story -->"
    assert "What happened?" in finding.sentence
    assert checks(text.replace("> What happened?", "Much.")) == []


def test_a_silence_of_more_than_a_quarter_of_an_hour_is_a_gap() -> None:
    told = [START + timedelta(minutes=5), START + timedelta(minutes=20), START + timedelta(minutes=36)]
    ended = START + timedelta(minutes=40)
    findings = lint("", Known(follow_ups=[FINE], told=told, started_at=START, resolved_at=ended))
    assert [finding.sentence for finding in findings] == [
        "Nothing is told between 12:20:00 and 12:36:00 UTC (16 min): what happened?"
    ]


def test_a_follow_up_needs_an_owner_and_a_date() -> None:
    bare = FollowUpFact(title="Alone", kind="detect", owner="", due=None, state="open")
    done = FollowUpFact(title="Done", kind="detect", owner="", due=None, state="done")
    findings = lint("", Known(follow_ups=[bare, done]))
    assert [finding.sentence for finding in findings] == ["The follow-up “Alone” has no owner and no date."]
    assert checks("", follow_ups=[]) == [Check.FOLLOW_UP]


def test_what_reads_differently_elsewhere_is_pointed_at() -> None:
    assert checks("![chart](https://x.example/a.png)") == [Check.SHOWN]
    assert checks("see https://x.example") == [Check.SHOWN]
    assert checks("see <script>x</script>, `<script>` and <details></details>") == [Check.SHOWN]
    assert checks("see <https://x.example> and [y](https://y.example)") == []


@given(st.text(max_size=300))
def test_it_never_fails_whatever_the_text(text: str) -> None:
    lines = text.count("\n") + 1
    assert all(0 <= finding.line <= lines for finding in lint(text, Known()))


def test_a_start_that_nobody_told_is_asked_for() -> None:
    assert [one.check for one in lint("", Known(follow_ups=[FINE], start_known=False))] == [Check.GAP]
