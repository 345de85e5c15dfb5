"""How much of a post-mortem is filled: its front matter, the numbers and moments it states, and people's sections."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from incidents.postmortem.impact import NOT_RECORDED
from incidents.postmortem.markers import Kind, Part, parse

MATTER = re.compile(r"^(?P<key>[a-z_]+): (?P<value>.*)$", re.MULTILINE)
ROW = re.compile(r"^\| (?P<name>[^|]+?) \| (?P<value>[^|]*?) \|", re.MULTILINE)
HEADS = ("---", "Moment", "Measure", "Number")
EMPTY = frozenset({"", "null", '""', "[]", "nobody", NOT_RECORDED, "Pending", "Invalid"})
# Each generated section is one field; these say that it has nothing to tell.
SILENT = (
    "No samples of the affected services are recorded",
    "No samples are recorded that could be drawn",
    "No step was closed on evidence",
    "No message to people outside is recorded",
    "No audit entry tells",
)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One thing the document states or asks for, and whether it is there."""

    name: str
    filled: bool


def fields(text: str) -> list[Field]:
    """Every field of the document, in its order."""
    return [field for part in parse(text) for field in _of(part)]


def share(text: str) -> float:
    """The share of the fields that are filled, from 0 to 1."""
    found = fields(text)
    return sum(field.filled for field in found) / len(found) if found else 0.0


def _of(part: Part) -> Iterator[Field]:
    if part.kind == Kind.FRONT:
        for match in MATTER.finditer(part.raw):
            yield Field(name=match["key"], filled=match["value"] not in EMPTY)
    elif part.kind == Kind.HUMAN:
        yield Field(name=part.key, filled=answered(part.raw))
    elif part.kind == Kind.GENERATED:
        yield Field(name=part.key, filled=not any(words in part.raw for words in SILENT))
        if part.key in ("summary", "impact"):
            yield from _rows(part.raw.partition("<details>")[0])


def _rows(raw: str) -> Iterator[Field]:
    """The first two columns of its tables: what, and the value."""
    for match in ROW.finditer(raw):
        if not match["name"].startswith(HEADS):
            value = match["value"].strip("* ").partition(" (")[0]
            yield Field(name=match["name"], filled=value not in EMPTY)


def answered(raw: str) -> bool:
    """Whether somebody wrote more into a section than its prompt."""
    return any(line.strip() and not line.startswith((">", "<!--")) for line in raw.splitlines())
