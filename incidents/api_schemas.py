"""What the API of incidents takes and gives, typed: a body is taken strictly."""

from datetime import UTC, date, datetime
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
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
When = Annotated[AwareDatetime, Field(strict=False, ge=LONG_AGO)]
Day = Annotated[date, Field(strict=False)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
# A reason as the checklist asks for it.
Why = Annotated[str, StringConstraints(min_length=10, max_length=1000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
SeverityName = Literal["SEV1", "SEV2", "SEV3", "SEV4"]
Reach = Literal["all", "many", "redundancy", "some", "none", "unsure"]
Loss = Literal["no", "yes", "unsure"]
StateName = Literal["open", "resolved", "closed", "merged"]
MomentName = Literal["started", "detected", "acknowledged", "mitigated", "resolved"]
EntryKind = Literal["alert", "run", "state", "note", "role", "severity", "message", "step", "deployment"]
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


class AddIn(Asked):
    """What would have been declared, for an incident that is open already: an alert, or what was seen."""

    title: Title
    services: Services
    report: Long = ""
    alert: RowId | None = None


class SeverityIn(Asked):
    """The severity, or the impact that it is computed from, and the version that the sender saw."""

    version: Number
    severity: SeverityName | None = None
    reach: Reach | None = None
    loss: Loss = "no"
    reason: Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00]*$")] = ""


class MomentIn(Asked):
    """When a key moment truly was, where that is known from, and the version that the sender saw."""

    version: Number
    name: MomentName
    at: When
    reason: Annotated[str, StringConstraints(max_length=300, pattern=SAID)]


class MergeIn(Asked):
    """The open incident that this one is the same as, and why."""

    into: Number
    reason: Why


class MarksIn(Asked):
    """The marks of a timeline entry: a key moment (`starred`), kept on top (`pinned`)."""

    starred: bool | None = None
    pinned: bool | None = None


class NoteIn(Asked):
    """A note for the timeline; `at` is when it happened, `report` makes it a person's report."""

    text: Note
    at: When | None = None
    report: bool = False


class IncidentFilters(Schema):
    """Which incidents, newest first. `q` are words of the title, the impact or the timeline; `alert` belongs to it."""

    environment: Word | None = None
    state: StateName | None = None
    severity: SeverityName | None = None
    service: ServiceKind | None = None
    drill: bool | None = None
    alert: RowId | None = None
    q: Query | None = None
    cursor: Number | None = None
    limit: Limit = 25


class TimelineFilters(Schema):
    """Which entries, newest first. `cursor` is the `next_cursor` of the page before.

    `after` leaves those that were written after the entry of that id, whenever they tell to have happened.
    """

    after: RowId | None = None
    kind: EntryKind | None = None
    starred: bool | None = None
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
    """An incident as a list shows it. `merged_into` is the number of the one that it became a part of.

    `next_update_due_at` is when people must hear again: null where nothing is promised, or it is over. Where the start
    is not known, nobody has said when it began, and `started_at` is when it was declared.
    """

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
    start_known: bool
    detected_at: datetime | None
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    resolved_at: datetime | None
    told_at: datetime | None
    next_update_due_at: datetime | None
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
