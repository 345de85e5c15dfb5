"""Two texts that grew from one, joined part by part; what both changed is named, and neither is lost."""

from collections.abc import Iterator
from dataclasses import dataclass

from incidents.postmortem.markers import Kind, parse


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The joined text. In the parts of `both`, it has mine; theirs is to be looked at."""

    text: str
    both: tuple[str, ...]


def merge3(base: str, theirs: str, mine: str) -> Merged:
    """Join `theirs` and `mine`, which both began as `base`; what only one of them changed is taken from there."""
    if mine in (base, theirs):
        return Merged(text=theirs, both=())
    if theirs == base:
        return Merged(text=mine, both=())
    before, other, own = (dict(_parts(text)) for text in (base, theirs, mine))
    parts: list[str] = []
    both: list[str] = []
    for key in _order(list(other), list(own)):
        started, there, here = (found.get(key, "") for found in (before, other, own))
        changed_by_both = started not in (there, here) and there != here
        parts.append(there if here == started and not changed_by_both else here)
        if changed_by_both:
            both.append(key)
    return Merged(text="".join(parts), both=tuple(both))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Each part by its key; free text by the part that it follows."""
    before, seen = "start", set[str]()
    for part in parse(text):
        key = f"text after {before}" if part.kind == Kind.TEXT else part.key
        while key in seen:
            key += " again"
        seen.add(key)
        before = before if part.kind == Kind.TEXT else part.key
        yield key, part.raw


def _order(other: list[str], own: list[str]) -> list[str]:
    """Theirs in their order; what only mine has comes after its own predecessor."""
    order = list(other)
    before = ""
    for key in own:
        if key not in order:
            order.insert(order.index(before) + 1 if before in order else 0, key)
        before = key
    return order
