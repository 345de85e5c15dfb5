"""The states of a run and the one table of the transitions between them."""

from django.db import models


class RunStatus(models.TextChoices):
    """Where a run stands. `unknown`: an effect was sent and nobody knows whether it happened."""

    AWAITING_APPROVAL = "awaiting_approval", "Waiting for approval"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    VERIFYING = "verifying", "Verifying"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"
    EXPIRED = "expired", "Expired"
    UNKNOWN = "unknown", "Outcome unknown"


S = RunStatus
TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    S.AWAITING_APPROVAL: frozenset({S.QUEUED, S.CANCELED, S.EXPIRED}),
    S.QUEUED: frozenset({S.RUNNING, S.FAILED, S.CANCELED, S.EXPIRED}),
    S.RUNNING: frozenset({S.RUNNING, S.VERIFYING, S.SUCCEEDED, S.FAILED, S.CANCELED, S.UNKNOWN}),
    S.VERIFYING: frozenset({S.VERIFYING, S.RUNNING, S.SUCCEEDED, S.FAILED, S.CANCELED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.RUNNING, S.SUCCEEDED, S.FAILED}),
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELED: frozenset(),
    S.EXPIRED: frozenset(),
}
# A worker drives these; the others wait for a person or are over.
DRIVEN = (S.QUEUED, S.RUNNING, S.VERIFYING)
# These lock their target: no second run may start on it.
ACTIVE = (S.AWAITING_APPROVAL, *DRIVEN, S.UNKNOWN)
FINISHED = tuple(status for status, onward in TRANSITIONS.items() if not onward)


class StepState(models.TextChoices):
    """Where a step of a run stands."""

    PENDING = "pending", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Outcome unknown"
    SKIPPED = "skipped", "Not reached"


class CallOutcome(models.TextChoices):
    """What became of one attempt to send an effect; empty while nobody knows yet."""

    OPEN = "", "Sent, no answer yet"
    OK = "ok", "Accepted"
    REJECTED = "rejected", "Refused, nothing happened"
    NOT_SENT = "not_sent", "Not sent"
    NOT_SEEN = "not_seen", "Not seen, safe to send again"
    OBSERVED = "observed", "Seen to have happened"
    UNKNOWN = "unknown", "Unknown"


class InvalidTransition(RuntimeError):
    """Code asked for a transition that the table does not have."""


def check_transition(before: str, after: str) -> None:
    """Raise InvalidTransition unless the table has `before` -> `after`."""
    if RunStatus(after) not in TRANSITIONS[RunStatus(before)]:
        raise InvalidTransition(f"{before} -> {after}")
