"""What the API takes and gives, typed: a body is taken strictly, nothing unknown and nothing converted."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

from novaops.runbook.requests import REASON_LENGTH
from novaops.runbook.states import RunStatus

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Word = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PRINTABLE)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,59}$")]
# Printable, and not only spaces.
SAID = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
Reason = Annotated[str, StringConstraints(max_length=REASON_LENGTH, pattern=SAID)]
Text = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Incident = Annotated[int, Field(ge=1, le=2**31 - 1)]
RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Value = Annotated[bool | int | Number | Text | list[Text], Field(union_mode="smart")]
Limit = Annotated[int, Field(ge=1, le=100)]


class Asked(Schema):
    """Base of every body: strict."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PlanIn(Asked):
    """What to plan, and where."""

    environment: Word
    action: Word
    target: Word
    params: dict[Name, Value] = Field(default_factory=dict)


class RunIn(PlanIn):
    """What to run, and why. With `plan_digest` only if the plan is still the one that was looked at."""

    reason: Reason
    plan_digest: Digest | None = None
    incident: Incident | None = None


class RunFilters(Schema):
    """Which runs, newest first. `cursor` is the `next_cursor` of the page before."""

    environment: Word | None = None
    action: Word | None = None
    target: Word | None = None
    status: RunStatus | None = None
    incident: Incident | None = None
    cursor: RowId | None = None
    limit: Limit = 25


class AuditFilters(Schema):
    """Which audit entries, newest first. `cursor` is the `next_cursor` of the page before."""

    actor: Word | None = None
    verb: Word | None = None
    environment: Word | None = None
    run: RowId | None = None
    incident: Incident | None = None
    cursor: RowId | None = None
    limit: Limit = 50


class ActionFilters(Schema):
    """In which environment; the first declared one where none is named."""

    environment: Word | None = None


class Wrong(Schema):
    """One wrong field and the rule that it breaks."""

    field: str
    rule: str


class Lacking(Schema):
    """One thing that is missing, and what would mend it."""

    sentence: str
    mend: str


class Problem(Schema):
    """Why a request was not done (RFC 9457). `code` is stable; `detail` is the sentence a person reads.

    `incident` is the one that covers it or that it was merged into, `version` is the current one, `reasons` are all
    that is missing.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None
    errors: list[Wrong] | None = None
    run: int | None = None
    incident: int | None = None
    same_cause: bool | None = None
    version: int | None = None
    reasons: list[Lacking] | None = None


class HealthOut(Schema):
    """Whether NovaOps itself can work. `worker_sweep_age_s` is null where no worker was heard of."""

    ready: bool
    database: bool
    redis: bool
    worker_sweep_age_s: float | None


class ParameterOut(Schema):
    """One parameter of an action."""

    name: str
    type: Literal["string", "integer", "number", "boolean", "array"]
    required: bool
    help: str
    minimum: float | None
    maximum: float | None
    choices: list[str] | None


class ActionOut(Schema):
    """An action as this token may use it; `refusal` says why not."""

    key: str
    title: str
    summary: str
    service: str
    risk: Literal["safe", "disruptive", "destructive"]
    runbook_section: str
    targets: list[str]
    params: list[ParameterOut]
    affects: str
    undo: str
    expected_s: float
    needs_approval: bool
    allowed: bool
    refusal: str


class PlanOut(Schema):
    """An action resolved against its target: the very calls that a run would make."""

    id: UUID
    state: Literal["resolving", "ready", "failed"]
    runnable: bool
    environment: str
    action: str
    target: str
    params: dict[str, Any]
    sentence: str
    prechecks: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    affects: str
    undo: str
    expected_s: float | None
    digest: str
    created_at: datetime
    resolved_at: datetime | None


class CallOut(Schema):
    """One attempt to send an effect; `sent_at` is null while nothing was sent."""

    attempt: int
    operation: str
    command_line: str
    outcome: str
    sentence: str
    intent_at: datetime
    sent_at: datetime | None
    outcome_at: datetime | None
    request_id: str


class StepOut(Schema):
    """A part of a run."""

    key: str
    title: str
    kind: str
    state: str
    sentence: str
    progress_percent: int | None
    started_at: datetime | None
    finished_at: datetime | None
    calls: list[CallOut]


class RunBrief(Schema):
    """A run as a list shows it."""

    id: int
    environment: str
    action: str
    title: str
    service: str
    target: str
    params: dict[str, Any]
    risk: str
    status: RunStatus
    finished: bool
    outcome: str
    reason: str
    incident: int | None
    requested_by: str
    via: str
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    page: str


class RunOut(RunBrief):
    """A run with its steps and every call."""

    plan_id: UUID
    plan_digest: str
    steps: list[StepOut]


class RunsPage(Schema):
    """A page of runs; `next_cursor` is null on the last."""

    items: list[RunBrief]
    next_cursor: int | None


class EntryOut(Schema):
    """One entry of the audit chain."""

    seq: int
    at: datetime
    actor: str
    via: str
    verb: str
    subject: str
    environment: str
    reason: str
    incident: int | None
    run: int | None
    detail: dict[str, Any]
    prev_hash: str
    hash: str


class AuditPage(Schema):
    """A page of audit entries; `next_cursor` is null on the last."""

    items: list[EntryOut]
    next_cursor: int | None
