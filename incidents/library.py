"""Every post-mortem there is or should be: found by state, severity and words."""

from collections.abc import Mapping

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

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
    open_work = Count("follow_ups", filter=Q(follow_ups__state=FollowUp.State.OPEN))
    found = _in_state(found, asked["state"]).annotate(open_follow_ups=open_work)
    if asked["severity"] in SEVERITIES:
        found = found.filter(severity=asked["severity"])
    if asked["q"]:
        found = found.filter(Q(title__icontains=asked["q"]) | Q(postmortem__text__icontains=asked["q"]))
    return found


def _in_state(found: QuerySet[Incident], asked: str) -> QuerySet[Incident]:
    published = Q(postmortem__state=Postmortem.State.PUBLISHED)
    owed = found.filter(waiver=None, is_drill=False).exclude(published)
    if asked == "owed":
        return owed
    if asked == "overdue":
        return owed.filter(postmortem__due_at__lt=timezone.now())
    if asked == "review":
        return found.filter(postmortem__state=Postmortem.State.REVIEW)
    if asked == "waived":
        return found.exclude(waiver=None)
    return found.filter(published) if asked == "published" else found
