"""What the API takes and gives of what is written after an incident: follow-ups and the post-mortem."""

from datetime import date, datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import StringConstraints

from incidents.api_schemas import Day, Number, Title, Why
from incidents.postmortem.render import MAX_BYTES
from novaops.runbook.api_schemas import Asked, Limit, RowId, Word

FollowUpKind = Literal["prevent", "detect", "mitigate", "process"]
FollowUpState = Literal["open", "done", "dropped"]
Document = Annotated[str, StringConstraints(max_length=MAX_BYTES, pattern=r"^[^\x00]*$")]
SectionKey = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z-]+$")]


class FollowUpIn(Asked):
    """A piece of work; `owner` is a username."""

    title: Title
    kind: FollowUpKind
    owner: Word | None = None
    due: Day | None = None


class FollowUpChangeIn(Asked):
    """What is to be changed; what is not named stays. A null takes the owner or the date away."""

    title: Title | None = None
    kind: FollowUpKind | None = None
    owner: Word | None = None
    due: Day | None = None
    state: FollowUpState | None = None


class FollowUpFilters(Schema):
    """Which follow-ups, newest first."""

    environment: Word | None = None
    state: FollowUpState | None = None
    kind: FollowUpKind | None = None
    owner: Word | None = None
    overdue: bool | None = None
    drill: bool | None = None
    cursor: RowId | None = None
    limit: Limit = 50


class FollowUpOut(Schema):
    """A follow-up."""

    id: int
    incident: int
    title: str
    kind: FollowUpKind
    state: FollowUpState
    owner: str | None
    due: date | None
    overdue: bool
    created_at: datetime
    created_by: str
    closed_at: datetime | None


class FollowUpsPage(Schema):
    """A page of follow-ups; `next_cursor` is null on the last."""

    items: list[FollowUpOut]
    next_cursor: int | None


class ReviewOut(Schema):
    """One version before a second person. A person decides it, on the page."""

    version: int
    verdict: Literal["waiting", "approved", "changes", "withdrawn"]
    author: str
    requested_by: str
    requested_at: datetime
    reviewer: str | None
    comment: str
    decided_at: datetime | None


class PostmortemOut(Schema):
    """A post-mortem with its whole text, and where its review stands."""

    incident: int
    state: Literal["draft", "review", "published"]
    version: int
    due_at: datetime
    overdue: bool
    generated_at: datetime
    published_at: datetime | None
    published_version: int | None
    exported_version: int | None
    factor: str
    path: str
    commit: str
    commit_sentence: str
    review: ReviewOut | None
    markdown: str
    page: str


class PostmortemBrief(Schema):
    """A post-mortem as a list shows it."""

    incident: int
    title: str
    severity: str
    state: Literal["draft", "review", "published"]
    version: int
    due_at: datetime
    overdue: bool
    published_at: datetime | None
    path: str
    page: str


class PostmortemsPage(Schema):
    """A page of post-mortems; `next_cursor` is null on the last."""

    items: list[PostmortemBrief]
    next_cursor: int | None


class PostmortemFilters(Schema):
    """Which post-mortems, the newest incident first. `cursor` is the `next_cursor` of the page before."""

    environment: Word | None = None
    state: Literal["draft", "review", "published"] | None = None
    overdue: bool | None = None
    drill: bool | None = None
    cursor: Number | None = None
    limit: Limit = 25


class RegeneratedOut(PostmortemOut):
    """The document after its generated parts were written again; `kept` are those that people had edited."""

    kept: list[str]


class SectionOut(Schema):
    """A section: a generated one is written again until somebody edits it, the others belong to people."""

    key: str
    kind: Literal["generated", "human"]
    edited: bool
    markdown: str


class SectionsOut(Schema):
    """The sections of the document as it is at this version."""

    version: int
    items: list[SectionOut]


class FindingOut(Schema):
    """What the linter says; `stops` holds a review up. `line` is 0 where it is about none."""

    check: str
    line: int
    sentence: str
    stops: bool


class VersionOut(Schema):
    """A saved version; `by` is null where NovaOps wrote it."""

    version: int
    at: datetime
    by: str | None
    generated: bool


class VersionTextOut(VersionOut):
    """A saved version with its text."""

    markdown: str


class VersionsPage(Schema):
    """A page of versions; `next_cursor` is null on the last."""

    items: list[VersionOut]
    next_cursor: int | None


class VersionFilters(Schema):
    """Versions, newest first. `cursor` is the `next_cursor` of the page before."""

    cursor: Number | None = None
    limit: Limit = 50


class PostmortemIn(Asked):
    """The whole text, and the version that it was made from."""

    version: Number
    markdown: Document


class SectionIn(Asked):
    """The text of one section, and the version of the document that it was made from."""

    version: Number
    markdown: Document


class AskReviewIn(Asked):
    """Which version a second person is to read; `anyway` although the linter says what it lacks."""

    version: Number
    anyway: bool = False


class AskChangesIn(Asked):
    """What is to be changed before it is approved."""

    comment: Why


class PublishIn(Asked):
    """The approved version, and which kind of contributing factor mattered most."""

    version: Number
    factor: Literal["deployment", "configuration", "limit", "external", "hardware", "other"]
