"""Everything a post-mortem says, as plain values: what `gather` loads and `document` writes."""

from dataclasses import dataclass
from datetime import date, datetime

from incidents.measures import Measure, Moments


@dataclass(frozen=True, kw_only=True)
class AlertFact:
    title: str
    service: str
    source: str
    sentence: str
    started_at: datetime
    fired_at: datetime
    cleared_at: datetime | None
    value: float | None
    threshold: float | None


@dataclass(frozen=True, kw_only=True)
class RunFact:
    title: str
    target: str
    service: str
    status: str
    outcome: str
    by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    url: str
    broken_glass: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the timeline; `key` marks a key moment, `late` one that was written down afterwards."""

    at: datetime
    kind: str
    text: str
    who: str
    url: str = ""
    key: bool = False
    late: bool = False


@dataclass(frozen=True, kw_only=True)
class StepFact:
    title: str
    state: str
    done_at: datetime | None
    by: str
    took_s: float | None
    override_reason: str
    evidence: tuple[tuple[datetime, str, str], ...]
    open_items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The samples of one series between start and end, and their source. `counts`: adding them up means something."""

    service: str
    series: str
    unit: str
    low: float
    average: float
    high: float
    total: float
    samples: int
    source: str
    counts: bool


@dataclass(frozen=True, kw_only=True)
class FollowUpFact:
    title: str
    kind: str
    owner: str
    due: date | None
    state: str


@dataclass(frozen=True, kw_only=True)
class AuditRange:
    """The audit entries of the incident and the head of the chain when the document was generated."""

    entries: int
    first_seq: int
    last_seq: int
    head_seq: int
    head_hash: str


@dataclass(frozen=True, kw_only=True)
class Story:
    """The facts of one incident as they stood at `generated_at`. `base_url` makes paths into links."""

    number: int
    uid: str
    title: str
    severity: str
    severity_meaning: str
    state: str
    environment: str
    services: tuple[str, ...]
    impact: str
    commander: str
    participants: tuple[str, ...]
    declared_at: datetime
    moments: Moments
    measures: tuple[Measure, ...]
    alerts: tuple[AlertFact, ...]
    runs: tuple[RunFact, ...]
    earlier_runs: tuple[RunFact, ...]
    earlier_changes: tuple[tuple[datetime, str], ...]
    timeline: tuple[Line, ...]
    timeline_left_out: int
    steps: tuple[StepFact, ...]
    figures: tuple[Figure, ...]
    follow_ups: tuple[FollowUpFact, ...]
    audit: AuditRange
    generated_at: datetime
    version: str
    base_url: str
