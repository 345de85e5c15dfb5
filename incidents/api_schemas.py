"""What the API of incidents takes and gives, typed: a body is taken strictly."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import AwareDatetime, Field, StringConstraints

from novaops.environment import ServiceKind
from novaops.runbook.api_schemas import SAID, Asked, Limit, RowId, Word

Title = Annotated[str, StringConstraints(max_length=200, pattern=SAID)]
Long = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
Note = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
Query = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
# JSON has no times: they come as text, with their zone.
When = Annotated[AwareDatetime, Field(strict=False)]
Day = Annotated[date, Field(strict=False)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
SeverityName = Literal["SEV1", "SEV2", "SEV3", "SEV4"]
Reach = Literal["all", "many", "redundancy", "some", "none", "unsure"]
Loss = Literal["no", "yes", "unsure"]
StateName = Literal["open", "resolved", "closed", "merged"]
EntryKind = Literal["alert", "run", "state", "note", "role", "severity", "message", "step", "deployment"]
FollowUpKind = Literal["prevent", "detect", "mitigate", "process"]
FollowUpState = Literal["open", "done", "dropped"]
Services = Annotated[list[ServiceKind], Field(min_length=1, max_length=4)]


class DeclareIn(Asked):
    """What is wrong. The severity, or the impact that it is computed from; an alert, or what was seen.

    With `anyway` also where an open incident affects one of the services.
    """

    environment: Word
    title: Title
    severity: SeverityName | None = None
    reach: Reach | None = None
    loss: Loss = "no"
    services: Services
    impact: Long = ""
    report: Long = ""
    alert: RowId | None = None
    started_at: When | None = None
    anyway: bool = False


class UpdateIn(Asked):
    """What is to be changed, and the version that the sender saw."""

    version: Number
    title: Title | None = None
    services: Services | None = None
    impact: Long | None = None


class NoteIn(Asked):
    """A note for the timeline; `at` is when it happened, `report` makes it a person's report."""

    text: Note
    at: When | None = None
    report: bool = False


class FollowUpIn(Asked):
    """A piece of work; `owner` is a username."""

    title: Title
    kind: FollowUpKind
    owner: Word | None = None
    due: Day | None = None


class FollowUpStateIn(Asked):
    """Its new state."""

    state: FollowUpState


class IncidentFilters(Schema):
    """Which incidents, newest first. `q` are words of the title, the impact or the timeline."""

    environment: Word | None = None
    state: StateName | None = None
    severity: SeverityName | None = None
    service: ServiceKind | None = None
    drill: bool | None = None
    q: Query | None = None
    cursor: Number | None = None
    limit: Limit = 25


class TimelineFilters(Schema):
    """Which entries, newest first. `cursor` is the `next_cursor` of the page before."""

    kind: EntryKind | None = None
    starred: bool | None = None
    cursor: RowId | None = None
    limit: Limit = 50


class FollowUpFilters(Schema):
    """Which follow-ups, newest first."""

    environment: Word | None = None
    state: FollowUpState | None = None
    cursor: RowId | None = None
    limit: Limit = 50


class ChecklistStepOut(Schema):
    """One step of the checklist."""

    key: str
    title: str
    state: Literal["open", "done", "skipped", "overridden"]
    owner: str | None
    done_at: datetime | None
    done_by: str | None
    reason: str
    evidence: list[dict[str, Any]]


class IncidentBrief(Schema):
    """An incident as a list shows it. `merged_into` is the number of the one that it became a part of."""

    number: int
    environment: str
    title: str
    severity: SeverityName
    state: StateName
    services: list[str]
    impact: str
    commander: str | None
    drill: bool
    version: int
    merged_into: int | None
    declared_at: datetime
    started_at: datetime
    detected_at: datetime | None
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    resolved_at: datetime | None
    page: str


class IncidentOut(IncidentBrief):
    """An incident with its checklist."""

    steps: list[ChecklistStepOut]


class IncidentsPage(Schema):
    """A page of incidents; `next_cursor` is null on the last."""

    items: list[IncidentBrief]
    next_cursor: int | None


class TimelineEntryOut(Schema):
    """One entry of the timeline; `recorded_at` is when it was written down."""

    id: int
    at: datetime
    recorded_at: datetime
    late: bool
    kind: EntryKind
    author: str | None
    text: str
    url: str
    starred: bool
    pinned: bool
    data: dict[str, Any]


class TimelinePage(Schema):
    """A page of entries; `next_cursor` is null on the last."""

    items: list[TimelineEntryOut]
    next_cursor: int | None


class FollowUpOut(Schema):
    """A follow-up."""

    id: int
    incident: int
    title: str
    kind: FollowUpKind
    state: FollowUpState
    owner: str | None
    due: date | None
    created_at: datetime
    created_by: str


class FollowUpsPage(Schema):
    """A page of follow-ups; `next_cursor` is null on the last."""

    items: list[FollowUpOut]
    next_cursor: int | None


class PostmortemOut(Schema):
    """A post-mortem with its whole text."""

    incident: int
    state: str
    version: int
    due_at: datetime
    generated_at: datetime
    exported_version: int | None
    path: str
    markdown: str
    page: str
