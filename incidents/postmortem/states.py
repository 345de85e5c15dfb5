"""For how long a service was in which state: pure, from the stretches in which something is known to be wrong."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise

Stretch = tuple[datetime, datetime]
# Where stretches overlap, the first of these holds.
WORST_FIRST = ("crit", "warn", "unknown")
OK = "ok"


def seconds(stretches: Mapping[str, Iterable[Stretch]], start: datetime, end: datetime) -> dict[str, float]:
    """The seconds of each state between start and end; together they are the whole time."""
    cut = {state: _cut(found, start, end) for state, found in stretches.items()}
    edges = sorted({start, max(start, end), *(edge for found in cut.values() for one in found for edge in one)})
    spent = dict.fromkeys((*WORST_FIRST, OK), 0.0)
    for first, last in pairwise(edges):
        spent[_state(cut, first, last)] += (last - first).total_seconds()
    return spent


def _cut(found: Iterable[Stretch], start: datetime, end: datetime) -> list[Stretch]:
    within = ((max(first, start), min(last, end)) for first, last in found)
    return [(first, last) for first, last in within if first < last]


def _state(cut: Mapping[str, list[Stretch]], first: datetime, last: datetime) -> str:
    for state in WORST_FIRST:
        if any(one <= first and last <= other for one, other in cut.get(state, ())):
            return state
    return OK


def gaps(seen: Iterable[int], start: datetime, step: timedelta, bins: int) -> list[Stretch]:
    """The bins of `step` from `start` on in which nothing was seen, as stretches; neighbours are one."""
    known = sorted({at for at in seen if 0 <= at < bins})
    around = pairwise((-1, *known, bins))
    return [(start + step * (last + 1), start + step * at) for last, at in around if at - last > 1]
