"""Follow-ups and post-mortems as the API shows them."""

from typing import Any

from django.urls import reverse
from django.utils import timezone

from incidents import sections
from incidents.api_views import name
from incidents.models import FollowUp, Postmortem, PostmortemVersion, Review
from incidents.postmortem.lint import Finding


def follow_up(row: FollowUp) -> dict[str, Any]:
    """A follow-up."""
    names = ("title", "kind", "state", "due", "created_at", "closed_at")
    people = {"owner": name(row.owner), "created_by": row.created_by.get_username()}
    late = row.is_late(timezone.now().date())
    shown = {key: getattr(row, key) for key in names}
    return {"id": row.pk, "incident": row.incident.number, "overdue": late, **shown, **people}


def postmortem(row: Postmortem) -> dict[str, Any]:
    """The document with its text and its newest review."""
    names = ("state", "version", "due_at", "overdue", "generated_at", "published_at", "published_version", "factor")
    exported = {"exported_version": row.exported_version, "path": row.path}
    newest = row.reviews.select_related("author", "requested_by", "reviewer").first()
    return {
        "incident": row.incident.number,
        **{key: getattr(row, key) for key in names},
        **exported,
        "commit": row.commit_state,
        "commit_sentence": row.commit_sentence,
        "review": review(newest) if newest else None,
        "markdown": row.text,
        "page": reverse("incidents:postmortem", args=[row.incident.number]),
    }


def postmortem_brief(row: Postmortem) -> dict[str, Any]:
    """The document without its text."""
    names = ("state", "version", "due_at", "overdue", "published_at", "path")
    of = row.incident
    page = reverse("incidents:postmortem", args=[of.number])
    shown = {key: getattr(row, key) for key in names}
    return {"incident": of.number, "title": of.title, "severity": of.severity, "page": page, **shown}


def review(row: Review) -> dict[str, Any]:
    """A version before a second person."""
    names = ("version", "verdict", "requested_at", "comment", "decided_at")
    people = {"author": name(row.author), "requested_by": name(row.requested_by), "reviewer": name(row.reviewer)}
    return {**{key: getattr(row, key) for key in names}, **people}


def all_sections(row: Postmortem) -> dict[str, Any]:
    """Its sections, by their keys."""
    found = sections.of(row.text)
    return {"version": row.version, "items": [section(one) for one in found]}


def section(one: sections.Section) -> dict[str, Any]:
    """One section."""
    return {"key": one.key, "kind": one.kind, "edited": one.edited, "markdown": one.body}


def finding(found: Finding) -> dict[str, Any]:
    """What the linter says."""
    return {"check": found.check, "line": found.line, "sentence": found.sentence, "stops": found.stops}


def version(row: PostmortemVersion) -> dict[str, Any]:
    """A saved version, without its text."""
    return {"version": row.version, "at": row.at, "by": name(row.by), "generated": row.generated}
