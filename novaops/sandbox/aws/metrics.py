"""The metric store: points per exact namespace, name and dimensions, found by bisection and put into periods."""

import bisect
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

# AWS keeps data finer than a minute for three hours (FACTS E); minutes are kept for two days here.
FINE_KEPT_S = 3 * 3600
KEPT_S = 2 * 86400
MINUTE_S = 60
PERCENTILE = re.compile(r"^p(\d{1,2}(?:\.\d+)?|100)$")

Dimensions = frozenset[tuple[str, str]]
Key = tuple[str, str, Dimensions]


class Point(NamedTuple):
    """What was measured at one moment; `values` is empty where only a statistic set was sent."""

    total: float
    weight: float
    low: float
    high: float
    values: tuple[float, ...] = ()


Statistic = Callable[[Point], float | None]


def point(values: Iterable[float]) -> Point:
    """The point of some single values."""
    kept = tuple(values)
    return Point(sum(kept), len(kept), min(kept), max(kept), kept)


def merged(points: list[Point]) -> Point:
    """Several points as one."""
    if len(points) == 1:
        return points[0]
    return Point(
        sum(one.total for one in points),
        sum(one.weight for one in points),
        min(one.low for one in points),
        max(one.high for one in points),
        tuple(value for one in points for value in one.values),
    )


def _average(one: Point) -> float | None:
    return one.total / one.weight if one.weight else None


STATISTICS: dict[str, Statistic] = {
    "Average": _average,
    "Sum": lambda one: one.total,
    "Minimum": lambda one: one.low,
    "Maximum": lambda one: one.high,
    "SampleCount": lambda one: one.weight,
}


def statistic(name: str) -> Statistic | None:
    """How to compute a statistic (`Average`, `p95`) of a point; it is None where a point cannot tell it.

    None where the name is not known.
    """
    if PERCENTILE.match(name):
        percent = float(name[1:])
        return lambda one: percentile(one.values, percent)
    return STATISTICS.get(name)


def percentile(values: tuple[float, ...], percent: float) -> float | None:
    """The value below which so many percent lie, interpolated; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


@dataclass
class Series:
    """Points of one metric in the order of their times (epoch seconds)."""

    unit: str
    times: list[float] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    def add(self, at: float, one: Point) -> None:
        """Keep a point; a second one of the same moment is merged with it."""
        if not self.times or at > self.times[-1]:
            self.times.append(at)
            self.points.append(one)
            return
        index = bisect.bisect_left(self.times, at)
        if index < len(self.times) and self.times[index] == at:
            self.points[index] = merged([self.points[index], one])
            return
        self.times.insert(index, at)
        self.points.insert(index, one)

    def periods(self, start: float, end: float, period_s: int) -> Iterator[tuple[float, Point]]:
        """The merged point of each period that has data, oldest first; the end is exclusive."""
        times, points = self.times, self.points
        index, stop = bisect.bisect_left(times, start), bisect.bisect_left(times, end)
        while index < stop:
            begins = times[index] // period_s * period_s
            after = index + 1
            # A day of minutes has one point in most periods: seeing that first halves the time.
            if after < stop and times[after] < begins + period_s:
                after = bisect.bisect_left(times, begins + period_s, after, stop)
                yield begins, merged(points[index:after])
            else:
                yield begins, points[index]
            index = after

    def compact(self, now: float) -> None:
        """Put what is older than three hours into minutes, forget what is older than two days."""
        coarse = list(self.periods(now - KEPT_S, (now - FINE_KEPT_S) // MINUTE_S * MINUTE_S, MINUTE_S))
        rest = bisect.bisect_left(self.times, (now - FINE_KEPT_S) // MINUTE_S * MINUTE_S)
        self.times[:rest] = [at for at, _ in coarse]
        self.points[:rest] = [one for _, one in coarse]


class Metrics:
    """All series."""

    def __init__(self) -> None:
        self._series: dict[Key, Series] = {}

    def put(self, key: Key, at: float, one: Point, unit: str = "None") -> None:
        """Keep a point of a metric."""
        self._series.setdefault(key, Series(unit)).add(at, one)

    def find(self, key: Key) -> Series | None:
        """The series of exactly this namespace, name and these dimensions."""
        return self._series.get(key)

    def all(self) -> list[tuple[Key, Series]]:
        """Every series, in the order in which they were first seen."""
        return list(self._series.items())

    def compact(self, now: float) -> None:
        """Make every series smaller where AWS would."""
        for series in self._series.values():
            series.compact(now)

    def clear(self) -> None:
        """Forget all."""
        self._series.clear()


metrics = Metrics()
