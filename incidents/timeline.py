"""The one place that writes a timeline: appended, told once, and shown to every open room."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from incidents.models import Incident, TimelineEntry
from novaops import live

Kind = TimelineEntry.Kind


def append(
    incident: Incident,
    kind: TimelineEntry.Kind,
    text: str,
    *,
    by: User | None = None,
    at: datetime | None = None,
    url: str = "",
    data: dict[str, Any] | None = None,
    dedup_key: str = "",
    starred: bool = False,
) -> None:
    """Add an entry in the current transaction; a second one with the same `dedup_key` changes nothing.

    `at` is when it happened (now where it is not given), `by` is None for NovaOps itself.
    """
    now = timezone.now()
    entry = TimelineEntry(
        incident=incident,
        kind=kind,
        text=text,
        author=by,
        at=at or now,
        recorded_at=now,
        url=url,
        data=data or {},
        dedup_key=dedup_key,
        starred=starred,
    )
    TimelineEntry.objects.bulk_create([entry], ignore_conflicts=bool(dedup_key))
    publish(incident)


def publish(incident: Incident) -> None:
    """Tell the open rooms and the overview that the incident moved on."""
    live.publish(f"incident:{incident.number}")
    live.publish(f"overview:{incident.environment}")
