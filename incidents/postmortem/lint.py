"""What a post-mortem still lacks, or says in a way that helps nobody: pure, over its text and a few facts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from incidents.measures import duration
from incidents.postmortem.escape import CONTROL, INVISIBLE
from incidents.postmortem.markers import Kind, Part, parse
from incidents.postmortem.render import TAGS
from incidents.postmortem.story import FollowUpFact

LONGEST_GAP = timedelta(minutes=15)


class Check(StrEnum):
    """What is looked at. `STOPS` are those that must be clean before a review is asked for."""

    BLAME = "blame"
    GAP = "gap"
    FOLLOW_UP = "follow-up"
    SOURCE = "source"
    EMPTY = "empty"
    SHOWN = "shown"


STOPS = frozenset({Check.FOLLOW_UP, Check.EMPTY})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to look at. `line` counts from 1 in the text; 0 where it is not about a line."""

    check: Check
    line: int
    sentence: str

    @property
    def stops(self) -> bool:
        return self.check in STOPS


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the text does not say itself: the follow-ups as they are now, when something was told, start and end."""

    follow_ups: Sequence[FollowUpFact] = ()
    told: Sequence[datetime] = ()
    started_at: datetime | None = None
    resolved_at: datetime | None = None
    # Whether an alert or a person said when it began.
    start_known: bool = True


BLAME = re.compile(
    r"\b(human error|operator error|user error|pilot error|careless\w*|negligen\w+|incompeten\w+|stupid\w*|la[sz]y"
    r"|sloppy|blame[ds]?|blaming|culprit|guilty|\w+['\u2019]s (?:fault|mistake)|fault of|should have known"
    r"|should not have|shouldn['\u2019]t have|could have easily"
    r"|obviously|forgot to|failed to (?:notice|follow|check|read)"
    r"|did(?: not|n['\u2019]t) (?:bother|care)|the root cause was)\b",
    re.IGNORECASE,
)
COUNTED = (
    "customers|users|merchants|accounts|requests|calls|tickets|errors|transactions|payments|redemptions|orders|events"
    "|people|rows|sessions"
)
FIGURE = re.compile(
    rf"[€$£]\s?\d[\d.,]*"
    rf"|\b\d[\d.,\u00a0 ]*\s?(?:%|percent\b|(?:k|m|million|thousand)?\s?(?:{COUNTED})\b|(?:EUR|USD|GBP)\b)",
    re.IGNORECASE,
)
SOURCED = re.compile(
    r"\]\(|`|<https?:|\b(sources?|counted|according to|measured|estimated?|query|queried|from the|as reported"
    r"|reported by)\b",
    re.IGNORECASE,
)
FENCE = re.compile(r"^ {0,3}(?P<bar>`{3,}|~{3,})(?P<rest>.*)$")
# What is quoted is not said by whoever writes: code, and words between quotation marks.
CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")
QUOTED = re.compile(r'"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»')
IMAGE = re.compile(r"!\[[^\]]*\]\(")
HTML = re.compile(r"(?<!`)<([A-Za-z][\w-]*)(?=[\s/>])")
HIDDEN = re.compile(rf"(?!\t)(?:{CONTROL.pattern}|{INVISIBLE.pattern})")
BARE = re.compile(r"(?<![<(\[`\w])(https?://|www\.)\S+")


def lint(text: str, known: Known) -> list[Finding]:
    """Every finding, those about the text in the order of its lines first."""
    found: list[Finding] = []
    line = 1
    for part in parse(text):
        if part.kind in (Kind.HUMAN, Kind.TEXT) or (part.kind == Kind.GENERATED and part.edited):
            found += _written(part, line)
        line += part.raw.count("\n")
    return [*found, *_start(known), *_gaps(known), *_follow_ups(known)]


def _written(part: Part, first: int) -> Iterator[Finding]:
    """What people wrote: empty sections, blame, figures without a source, what reads differently elsewhere."""
    lines = part.raw.split("\n")
    if part.kind == Kind.HUMAN and not _answered(lines):
        prompt = next((line.lstrip("> ") for line in lines if line.startswith(">")), part.key)
        yield Finding(check=Check.EMPTY, line=first, sentence=f"Nobody answered yet: {prompt}")
    bar = ""
    for at, line in enumerate(lines, first):
        before, bar = bar, _bar(line, bar)
        if not (before or bar or line.lstrip(" ").startswith((">", "<!--"))):
            yield from _line(line, at)
    yield from _left_open(part.raw, bar, first)


def _left_open(raw: str, bar: str, first: int) -> Iterator[Finding]:
    """What would take the sections below into itself."""
    if bar:
        says = f"A block of code is begun with {bar} and not ended: what follows becomes a part of it."
        yield Finding(check=Check.SHOWN, line=first, sentence=says)
    for tag in ("details", "svg", "figure", "table"):
        if len(re.findall(rf"<{tag}\b", raw, re.IGNORECASE)) > len(re.findall(rf"</{tag}\s*>", raw, re.IGNORECASE)):
            says = f"<{tag}> is opened and not closed: what follows becomes a part of it."
            yield Finding(check=Check.SHOWN, line=first, sentence=says)


def _bar(line: str, bar: str) -> str:
    """The bar that the line leaves open: of the fence that it begins, or goes on in; empty outside of one."""
    found = FENCE.match(line)
    if not found:
        return bar
    if not bar:
        return "" if found["bar"][0] == "`" and "`" in found["rest"] else found["bar"]
    return "" if found["bar"].startswith(bar) and not found["rest"].strip() else bar


def _answered(lines: list[str]) -> bool:
    return any(line.strip() and not line.startswith((">", "<!--")) for line in lines)


def _line(line: str, at: int) -> Iterator[Finding]:
    own = CODE.sub(" ", line)
    if blame := BLAME.search(QUOTED.sub(" ", own)):
        says = f"“{blame[0]}” looks for somebody to blame: say what made it possible."
        yield Finding(check=Check.BLAME, line=at, sentence=says)
    figure = FIGURE.search(own)
    if figure and not SOURCED.search(line):
        says = f"“{figure[0].strip()}” has no source: say how it was counted, or link to it."
        yield Finding(check=Check.SOURCE, line=at, sentence=says)
    if hidden := HIDDEN.search(line):
        says = f"U+{ord(hidden[0]):04X} is not seen and may change how the line reads: remove it."
        yield Finding(check=Check.SHOWN, line=at, sentence=says)
    for tag in HTML.findall(own):
        if tag.lower() not in TAGS:
            says = f"<{tag}> is left out here and may be shown elsewhere: write it between backticks."
            yield Finding(check=Check.SHOWN, line=at, sentence=says)
    if IMAGE.search(own):
        yield Finding(check=Check.SHOWN, line=at, sentence="An image is shown as a link here: prefer a link.")
    elif BARE.search(own):
        says = "A bare address is a link in some renderers only: put it between < and >."
        yield Finding(check=Check.SHOWN, line=at, sentence=says)


def _start(known: Known) -> Iterator[Finding]:
    if not known.start_known:
        says = "Nobody has said when it began, so that no time to detect is known: set Started among the key moments."
        yield Finding(check=Check.GAP, line=0, sentence=says)


def _gaps(known: Known) -> Iterator[Finding]:
    """Stretches of the incident in which nothing was told."""
    if known.started_at is None or known.resolved_at is None:
        return
    inside = sorted(at for at in known.told if known.started_at < at < known.resolved_at)
    for before, after in pairwise([known.started_at, *inside, known.resolved_at]):
        if after - before > LONGEST_GAP:
            says = (
                f"Nothing is told between {before:%H:%M:%S} and {after:%H:%M:%S} UTC "
                f"({duration((after - before).total_seconds())}): what happened?"
            )
            yield Finding(check=Check.GAP, line=0, sentence=says)


def _follow_ups(known: Known) -> Iterator[Finding]:
    if not known.follow_ups:
        yield Finding(check=Check.FOLLOW_UP, line=0, sentence="No follow-up is written down.")
    for each in known.follow_ups:
        lacks = [word for word, there in (("owner", each.owner), ("date", each.due)) if not there]
        if each.state == "open" and lacks:
            says = f"The follow-up “{each.title}” has no {' and no '.join(lacks)}."
            yield Finding(check=Check.FOLLOW_UP, line=0, sentence=says)
