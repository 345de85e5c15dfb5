"""Everything a post-mortem says, as plain values: what `gather` loads and `document` writes."""

from dataclasses import dataclass
from datetime import date, datetime

from incidents.measures import Measure, Moments
from incidents.postmortem import clock


@dataclass(frozen=True, kw_only=True)
class AlertFact:
    """One alert; `payload` is all that is known of it, as JSON. `flaps` counts how often it came back."""

    title: str
    rule: str
    service: str
    severity: str
    source: str
    sentence: str
    started_at: datetime
    fired_at: datetime
    cleared_at: datetime | None
    value: float | None
    threshold: float | None
    flaps: int
    witnesses: tuple[str, ...]
    payload: str


@dataclass(frozen=True, kw_only=True)
class RunFact:
    """One run. `approval_s` is how long it waited for a second person; `worked` what a person said afterwards."""

    title: str
    action: str
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
    approval_s: float | None = None
    worked: bool | None = None
    not_put_back: str = ""


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
class MergedFact:
    """An incident that became a part of this one; its steps are those that were closed by then."""

    number: int
    title: str
    severity: str
    declared_at: datetime
    merged_at: datetime | None
    why: str
    by: str
    steps: tuple[StepFact, ...]


@dataclass(frozen=True, kw_only=True)
class Held:
    """Who held a role, from when to when; `until` is None where they still do."""

    role: str
    who: str
    since: datetime
    until: datetime | None


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
class Number:
    """One number of the impact: None where nothing was recorded. `query` computes it again from the samples."""

    label: str
    value: float | None
    unit: str
    source: str
    query: str


@dataclass(frozen=True, kw_only=True)
class InState:
    """For how long a service was in each state between start and end, in seconds."""

    service: str
    crit_s: float
    warn_s: float
    unknown_s: float
    ok_s: float


@dataclass(frozen=True, kw_only=True)
class Sign:
    """A rule whose threshold a series had crossed: first at `at`, in `beyond` samples. `fired_at` is None if it never
    became an alert."""

    rule: str
    service: str
    series: str
    at: datetime
    value: float
    threshold: float
    unit: str
    waits_s: float
    beyond: int
    fired_at: datetime | None
    source: str
    query: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something that happened while a chart was drawn: an alert or an action."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A series in equal bins from `start` to `end`, None where nothing was collected."""

    service: str
    series: str
    unit: str
    start: datetime
    end: datetime
    values: tuple[float | None, ...]
    threshold: float | None
    marks: tuple[Mark, ...]
    source: str


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A series on average before a run began and after it had ended, None where nothing was collected; by `queries`."""

    run: str
    target: str
    finished_at: datetime
    service: str
    series: str
    unit: str
    before: float | None
    after: float | None
    source: str
    queries: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class RestoreFact:
    """One restore of the database: how long it took and what of production is not in it, None where not proven."""

    source: str
    instance: str
    state: str
    rto_s: float | None
    rpo_s: float | None
    loss: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Log lines that were attached to the incident."""

    at: datetime
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FollowUpFact:
    title: str
    kind: str
    owner: str
    due: date | None
    state: str


@dataclass(frozen=True, kw_only=True)
class AuditRange:
    """The audit entries of the incident, the hash over their hashes, and the head of the chain at that time."""

    entries: int
    first_seq: int
    last_seq: int
    digest: str
    head_seq: int
    head_hash: str


@dataclass(frozen=True, kw_only=True)
class Story:
    """The facts of one incident as they stood at `generated_at`. `base_url` makes paths into links.

    `time_zone` is the one whose clocks are given beside UTC; empty: none.
    """

    number: int
    uid: str
    title: str
    severity: str
    severity_meaning: str
    update_every_s: float | None
    state: str
    environment: str
    time_zone: str
    is_drill: bool
    services: tuple[str, ...]
    impact: str
    commander: str
    commander_since: datetime | None
    participants: tuple[str, ...]
    declared_at: datetime
    moments: Moments
    measures: tuple[Measure, ...]
    alerts: tuple[AlertFact, ...]
    runs: tuple[RunFact, ...]
    earlier_runs: tuple[RunFact, ...]
    earlier_changes: tuple[tuple[datetime, str], ...]
    reports: tuple[Line, ...]
    messages: tuple[Line, ...]
    merged: tuple[MergedFact, ...]
    roles: tuple[Held, ...]
    hand_overs: tuple[Line, ...]
    timeline: tuple[Line, ...]
    timeline_left_out: int
    steps: tuple[StepFact, ...]
    numbers: tuple[Number, ...]
    states: tuple[InState, ...]
    figures: tuple[Figure, ...]
    figures_query: str
    signs: tuple[Sign, ...]
    charts: tuple[Chart, ...]
    effects: tuple[Effect, ...]
    restores: tuple[RestoreFact, ...]
    excerpts: tuple[Excerpt, ...]
    follow_ups: tuple[FollowUpFact, ...]
    audit: AuditRange
    generated_at: datetime
    version: str
    base_url: str

    @property
    def ended_at(self) -> datetime:
        """Up to when the incident is told: its resolution, or now."""
        return self.moments.resolved_at or self.generated_at

    def clock(self, at: datetime | None) -> str:
        """A moment as a table has it; blank where it is not known."""
        return clock.cell(at, self.time_zone)

    def when(self, at: datetime | None) -> str:
        """A moment as a sentence has it."""
        return clock.said(at, self.time_zone)
