"""How long things took. A measure that cannot be known stays blank with its reason and never becomes a zero."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Known(StrEnum):
    RECORDED = "Recorded"
    PENDING = "Pending"
    NOT_APPLICABLE = "Not applicable"
    INVALID = "Invalid"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One duration between two moments of an incident; `seconds` is None unless it is recorded."""

    name: str
    meaning: str
    known: Known
    seconds: float | None = None

    @property
    def text(self) -> str:
        return duration(self.seconds) if self.seconds is not None else str(self.known)


@dataclass(frozen=True, kw_only=True)
class Moments:
    """The moments of an incident, None where they have not happened or are not known."""

    started_at: datetime | None
    detected_at: datetime | None
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    resolved_at: datetime | None


PAIRS: tuple[tuple[str, str, str, str], ...] = (
    ("Time to detect", "from the start to the first alert or report", "started_at", "detected_at"),
    ("Time to acknowledge", "from detection until a person took it", "detected_at", "acknowledged_at"),
    ("Time to mitigate", "from detection until the fix had worked", "detected_at", "mitigated_at"),
    ("Time to resolve", "from detection until it was resolved", "detected_at", "resolved_at"),
    ("Duration", "from the start until it was resolved", "started_at", "resolved_at"),
)
# Those that are learned from across incidents, by what people call their averages.
SHORT = {"Time to detect": "MTTD", "Time to acknowledge": "MTTA", "Time to mitigate": "MTTM", "Time to resolve": "MTTR"}


def measures(moments: Moments) -> list[Measure]:
    """Every duration, in the order of PAIRS."""
    return [_measure(moments, name, meaning, first, second) for name, meaning, first, second in PAIRS]


def _measure(moments: Moments, name: str, meaning: str, first: str, second: str) -> Measure:
    start: datetime | None = getattr(moments, first)
    end: datetime | None = getattr(moments, second)
    if end is None:
        over = moments.resolved_at is not None
        known = Known.NOT_APPLICABLE if over else Known.PENDING
        return Measure(name=name, meaning=meaning, known=known)
    if start is None or end < start:
        return Measure(name=name, meaning=meaning, known=Known.INVALID)
    return Measure(name=name, meaning=meaning, known=Known.RECORDED, seconds=(end - start).total_seconds())


def duration(seconds: float) -> str:
    """A duration in words of at most two units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 0:
        return str(Known.INVALID)
    whole = round(seconds)
    units = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((i for i, (count, _) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for i, (count, unit) in enumerate(units[first : first + 2]) if count or not i)
