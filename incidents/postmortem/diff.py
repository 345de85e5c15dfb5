"""What one text has and another has not, line by line, with a little around it."""

from dataclasses import dataclass
from difflib import SequenceMatcher

AROUND = 2
MOST_LINES = 2_000


@dataclass(frozen=True, kw_only=True)
class DiffLine:
    """One line: `kind` is added, removed, same, or cut where equal lines are left out."""

    kind: str
    text: str


def between(before: str, after: str) -> list[DiffLine]:
    """The lines from `before` to `after`; empty where they are equal."""
    old, new = before.splitlines(), after.splitlines()
    found: list[DiffLine] = []
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(AROUND):
        if found:
            found.append(DiffLine(kind="cut", text="⋯"))
        for tag, first, last, start, stop in group:
            if tag == "equal":
                found += [DiffLine(kind="same", text=line) for line in old[first:last]]
                continue
            found += [DiffLine(kind="removed", text=line) for line in old[first:last]]
            found += [DiffLine(kind="added", text=line) for line in new[start:stop]]
    return found[:MOST_LINES]
