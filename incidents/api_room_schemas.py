"""What the API takes and gives of the room: the checklist, roles, and what people outside are told."""

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import StringConstraints

from incidents.api_schemas import ChecklistStepOut, Note, Why
from novaops.runbook.api_schemas import Asked, Lacking, Limit, RowId, Word

StepName = Literal["detect", "assess", "communicate", "mitigate", "resolve", "postmortem"]
RoleName = Literal["commander", "communications", "scribe", "responder"]
PageState = Literal["investigating", "identified", "monitoring", "resolved"]
Address = Annotated[str, StringConstraints(max_length=500, pattern=r"^(https?://[^\x00-\x20\x7f]+)?$")]


class ReasonIn(Asked):
    """Why; the post-mortem shows it."""

    reason: Why


class OwnerIn(Asked):
    """Who sees to it; null: nobody."""

    owner: Word | None


class TickIn(Asked):
    """Whether it is done."""

    done: bool


class NoActionIn(Asked):
    """Why no action was needed."""

    why: Why


class RoleIn(Asked):
    """A role and who is to hold it: the token's owner where nobody is named.

    `note` goes with a hand-over of command.
    """

    role: RoleName
    user: Word | None = None
    note: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")] = ""


class TellIn(Asked):
    """What is to be told where; an empty text tells nothing there.

    `pagerduty` acknowledges there, and notes the text for Slack.
    """

    slack: Annotated[str, StringConstraints(max_length=3800, pattern=r"^[^\x00]*$")] = ""
    page: Annotated[str, StringConstraints(max_length=5000, pattern=r"^[^\x00]*$")] = ""
    page_name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    page_status: PageState = "investigating"
    pagerduty: bool = False


class RecordedIn(Asked):
    """What people posted by hand, and where."""

    channel: Literal["slack", "status-page", "other"]
    text: Note
    url: Address = ""


class TextIn(Asked):
    """A text."""

    text: Annotated[str, StringConstraints(max_length=3800, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]


class PagerDutyIn(Asked):
    """What the incident is called at PagerDuty; empty: nothing."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{0,60}$")]


class MessageFilters(Schema):
    """Messages, newest first. `cursor` is the `next_cursor` of the page before."""

    state: Literal["queued", "sending", "sent", "failed", "unknown"] | None = None
    cursor: RowId | None = None
    limit: Limit = 25


class ItemOut(Schema):
    """A part of a step, ticked by a person."""

    id: int
    text: str
    done_at: datetime | None
    done_by: str | None


class StepOut(ChecklistStepOut):
    """A step as the room shows it: of an open one what proves it so far, and all that it lacks."""

    words: str
    current: bool
    spent_s: float
    items: list[ItemOut]
    missing: list[Lacking]


class RoleOut(Schema):
    """Who holds a role, since when."""

    id: int
    role: str
    user: str
    since: datetime
    until: datetime | None


class RolesOut(Schema):
    """The commander, everybody who holds or held another role, and the summary that a hand-over would carry."""

    commander: str | None
    roles: list[RoleOut]
    summary: str


class DraftOut(Schema):
    """The messages as they would be drafted now; null where that system is not configured.

    `pagerduty` are the incidents there that would be acknowledged, `closing` is what resolving will tell.
    """

    slack: str | None
    page: str | None
    page_name: str | None
    page_status: PageState | None
    pagerduty: list[str]
    closing: list[str]
    summary: str


class PreviewOut(Schema):
    """A message exactly as it would be queued."""

    system: Literal["slack", "statuspage", "pagerduty"]
    operation: str
    address: str
    payload: dict[str, Any]


class MessageOut(PreviewOut):
    """A message and what came of it; `sentence` says what keeps it from being sent."""

    id: int
    state: Literal["queued", "sending", "sent", "failed", "unknown"]
    sentence: str
    attempts: int
    by: str | None
    created_at: datetime
    next_at: datetime
    outcome_at: datetime | None


class MessagesPage(Schema):
    """A page of messages; `next_cursor` is null on the last."""

    items: list[MessageOut]
    next_cursor: int | None
