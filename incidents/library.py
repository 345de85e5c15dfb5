"""Every post-mortem there is or should be: found by state, severity and words."""

from collections.abc import Iterable, Mapping

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from incidents import search
from incidents.models import FollowUp, Incident, Postmortem
from incidents.severity import SEVERITIES

FILTERS = ("state", "severity", "q")
STATES = {
    "owed": "Not published",
    "overdue": "Overdue",
    "review": "In review",
    "published": "Published",
    "waived": "Waived",
}


def find(asked: Mapping[str, str], environment: str) -> QuerySet[Incident]:
    """The incidents that are over or have a document already, with it, newest first."""
    over = Q(resolved_at__isnull=False) | Q(postmortem__isnull=False)
    found = Incident.objects.filter(over, environment=environment).exclude(state=Incident.State.MERGED)
    found = found.select_related("postmortem", "waiver").defer("postmortem__text").order_by("-number")
    found = _in_state(found, asked["state"])
    if asked["severity"] in SEVERITIES:
        found = found.filter(severity=asked["severity"])
    return search.matching(found, asked["q"])


def open_follow_ups(shown: Iterable[Incident]) -> dict[int, int]:
    """How many follow-ups of each of these incidents are open, by its id."""
    rows = FollowUp.objects.filter(incident__in=list(shown), state=FollowUp.State.OPEN).order_by()
    return dict(rows.values_list("incident").annotate(Count("pk")))


def _in_state(found: QuerySet[Incident], asked: str) -> QuerySet[Incident]:
    published = Q(postmortem__state=Postmortem.State.PUBLISHED)
    owed = found.filter(waiver=None, is_drill=False).exclude(published)
    if asked == "owed":
        return owed
    if asked == "overdue":
        return owed.filter(postmortem__due_at__lt=timezone.now(), postmortem__published_at=None)
    if asked == "review":
        return found.filter(postmortem__state=Postmortem.State.REVIEW)
    if asked == "waived":
        return found.exclude(waiver=None)
    return found.filter(published) if asked == "published" else found
