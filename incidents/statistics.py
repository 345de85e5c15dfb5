"""Durations summed up with care: what is not known is counted and never a zero; few values make no average."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from incidents.measures import Known, duration

# Below so many values, the values themselves say more than any summary of them.
ENOUGH = 3
ENOUGH_FOR_TAIL = 10
# What the database says of a column of seconds, and `of_spread` reads: n, median, mean, p90, least, most.
SPREAD = (
    "count({0}), percentile_cont(0.5) WITHIN GROUP (ORDER BY {0}), avg({0}),"
    " percentile_disc(0.9) WITHIN GROUP (ORDER BY {0}), min({0}), max({0})"
)
SPREAD_COLUMNS = 6


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One measure over some incidents: how many are known and how many not, and what may be said of the known ones.

    Of fewer than ENOUGH there are the values themselves (`few`), and no median, mean or p90.
    """

    name: str
    n: int = 0
    median_s: float | None = None
    mean_s: float | None = None
    # Nine of ten were at most this long; by nearest rank, never interpolated.
    p90_s: float | None = None
    few: tuple[float, ...] = ()
    unknown: dict[Known, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The median, or the few values themselves, or that none is known."""
        if self.median_s is not None:
            return duration(self.median_s)
        return ", ".join(duration(one) for one in self.few) or "none known"

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


def of_spread(name: str, row: Sequence[Any], unknown: dict[Known, int] | None = None) -> Summary:
    """Sum up what the database said of a column (SPREAD)."""
    n, middle, mean, p90, least, most = row
    enough = n >= ENOUGH
    return Summary(
        name=name,
        n=n,
        median_s=middle if enough else None,
        mean_s=mean if enough else None,
        p90_s=p90 if n >= ENOUGH_FOR_TAIL else None,
        few=() if enough else (least, most)[-n:] if n else (),
        unknown={known: count for known, count in (unknown or {}).items() if count},
    )
