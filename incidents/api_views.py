"""Rows of incidents as the API shows them."""

from typing import Any

from django.contrib.auth.models import User

from incidents.models import ChecklistItem, ChecklistStep, Incident, Role, TimelineEntry
from incidents.room import StepView
from novaops.outbox.models import Message


def brief(row: Incident) -> dict[str, Any]:
    """An incident as a list shows it."""
    names = ("number", "environment", "title", "severity", "state", "services", "impact", "version", "declared_at")
    moments = ("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at", "told_at")
    return {
        **{key: getattr(row, key) for key in (*names, *moments)},
        "start_known": row.start_known,
        "next_update_due_at": row.next_update_due_at,
        "commander": name(row.commander),
        "drill": row.is_drill,
        "merged_into": row.merged_into.number if row.merged_into else None,
        "page": row.get_absolute_url(),
    }


def incident(row: Incident) -> dict[str, Any]:
    """An incident with its checklist."""
    return {**brief(row), "steps": [step(one) for one in row.steps.select_related("owner", "done_by")]}


def step(row: ChecklistStep) -> dict[str, Any]:
    names = ("key", "title", "state", "done_at", "evidence")
    more = {"owner": name(row.owner), "done_by": name(row.done_by), "reason": row.override_reason}
    return {**{key: getattr(row, key) for key in names}, **more}


def entry(row: TimelineEntry) -> dict[str, Any]:
    names = ("at", "recorded_at", "late", "kind", "text", "url", "starred", "pinned", "data")
    return {"id": row.pk, "author": name(row.author), **{key: getattr(row, key) for key in names}}


def step_of(view: StepView) -> dict[str, Any]:
    """A step of the room: of an open one what proves it so far, and what it lacks."""
    row = view.row
    so_far = {"evidence": [piece.as_json() for piece in view.evidence]} if row.is_open else {}
    return {
        **step(row),
        **so_far,
        "words": row.words,
        "current": view.current,
        "spent_s": view.spent.total_seconds(),
        "missing": [{"sentence": lack.sentence, "mend": lack.mend} for lack in view.missing],
        "items": [item(one) for one in row.items.all()],
    }


def item(row: ChecklistItem) -> dict[str, Any]:
    """A part of a step."""
    return {"id": row.pk, "text": row.text, "done_at": row.done_at, "done_by": name(row.done_by)}


def role(row: Role) -> dict[str, Any]:
    """Who held a role, from when to when."""
    return {"id": row.pk, "role": row.name, "user": row.user.get_username(), "since": row.since, "until": row.until}


def planned(fields: dict[str, Any]) -> dict[str, Any]:
    """A message as it would be queued."""
    return {"system": fields["kind"], **{key: fields[key] for key in ("operation", "address", "payload")}}


def message(row: Message) -> dict[str, Any]:
    """A message and what came of it."""
    names = ("operation", "address", "payload", "state", "sentence", "attempts", "created_at", "next_at", "outcome_at")
    shown = {key: getattr(row, key) for key in names}
    return {"id": row.pk, "system": row.kind, "by": name(row.requested_by), **shown}


def name(user: User | None) -> str | None:
    """The username; null for nobody."""
    return user.get_username() if user else None
