"""Durations summed up with care: what is not known is counted and never a zero; few values make no average."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean, median

from incidents.measures import Known, Measure, duration

# Below so many values, the values themselves say more than any summary of them.
ENOUGH = 3
ENOUGH_FOR_TAIL = 10


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One measure over some incidents: how many are known and how many not, and what may be said of the known ones."""

    name: str
    seconds: tuple[float, ...] = ()
    unknown: dict[Known, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.seconds)

    @property
    def median_s(self) -> float | None:
        return median(self.seconds) if self.n >= ENOUGH else None

    @property
    def mean_s(self) -> float | None:
        return fmean(self.seconds) if self.n >= ENOUGH else None

    @property
    def p90_s(self) -> float | None:
        """Nine of ten were at most this long; by nearest rank, never interpolated."""
        return sorted(self.seconds)[ceil(0.9 * self.n) - 1] if self.n >= ENOUGH_FOR_TAIL else None

    @property
    def text(self) -> str:
        """The median, or the few values themselves, or that none is known."""
        if self.median_s is not None:
            return duration(self.median_s)
        return ", ".join(duration(one) for one in sorted(self.seconds)) or "none known"

    @property
    def care(self) -> str:
        """How far it carries: of how many, and what is missing."""
        said = [f"n = {self.n}"] + ([f"mean {duration(self.mean_s)}"] if self.mean_s is not None else [])
        said += [f"9 of 10 within {duration(self.p90_s)}"] if self.p90_s is not None else []
        said += [f"{count} {str(known).lower()}" for known, count in self.unknown.items()]
        return ", ".join(said)

    def as_json(self) -> dict[str, object]:
        return {
            "measure": self.name,
            "recorded": self.n,
            "pending": self.unknown.get(Known.PENDING, 0),
            "not_applicable": self.unknown.get(Known.NOT_APPLICABLE, 0),
            "invalid": self.unknown.get(Known.INVALID, 0),
            "median_s": self.median_s,
            "mean_s": self.mean_s,
            "p90_s": self.p90_s,
        }


def summary(name: str, measured: Iterable[Measure]) -> Summary:
    """Sum up one measure of several incidents."""
    seconds: list[float] = []
    unknown = Counter[Known]()
    for one in measured:
        if one.seconds is None:
            unknown[one.known] += 1
        else:
            seconds.append(one.seconds)
    return Summary(name=name, seconds=tuple(seconds), unknown=dict(unknown))


def of_seconds(name: str, seconds: Iterable[float]) -> Summary:
    """Sum up durations that are all known."""
    return Summary(name=name, seconds=tuple(seconds))
