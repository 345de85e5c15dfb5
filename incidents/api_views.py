"""Rows of incidents as the API shows them."""

from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse

from incidents.models import ChecklistStep, FollowUp, Incident, Postmortem, TimelineEntry


def brief(row: Incident) -> dict[str, Any]:
    """An incident as a list shows it."""
    names = ("number", "environment", "title", "severity", "state", "services", "impact", "version", "declared_at")
    moments = ("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")
    return {
        **{name: getattr(row, name) for name in (*names, *moments)},
        "commander": _name(row.commander),
        "drill": row.is_drill,
        "merged_into": row.merged_into.number if row.merged_into else None,
        "page": row.get_absolute_url(),
    }


def incident(row: Incident) -> dict[str, Any]:
    """An incident with its checklist."""
    return {**brief(row), "steps": [step(one) for one in row.steps.select_related("owner", "done_by")]}


def step(row: ChecklistStep) -> dict[str, Any]:
    names = ("key", "title", "state", "done_at", "evidence")
    more = {"owner": _name(row.owner), "done_by": _name(row.done_by), "reason": row.override_reason}
    return {**{name: getattr(row, name) for name in names}, **more}


def entry(row: TimelineEntry) -> dict[str, Any]:
    names = ("at", "recorded_at", "late", "kind", "text", "url", "starred", "pinned", "data")
    return {"id": row.pk, "author": _name(row.author), **{name: getattr(row, name) for name in names}}


def follow_up(row: FollowUp) -> dict[str, Any]:
    names = ("title", "kind", "state", "due", "created_at")
    people = {"owner": _name(row.owner), "created_by": row.created_by.get_username()}
    return {"id": row.pk, "incident": row.incident.number, **{name: getattr(row, name) for name in names}, **people}


def postmortem(row: Postmortem) -> dict[str, Any]:
    names = ("state", "version", "due_at", "generated_at", "exported_version", "path")
    page = reverse("incidents:postmortem", args=[row.incident.number])
    shown = {name: getattr(row, name) for name in names}
    return {"incident": row.incident.number, "markdown": row.text, "page": page, **shown}


def _name(user: User | None) -> str | None:
    return user.get_username() if user else None
