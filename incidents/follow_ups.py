"""Follow-ups across incidents: what is open, whose it is, what is late; changed by people, exported as a table."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone

from incidents.guard import Refused, locked
from incidents.models import FollowUp
from incidents.timeline import publish
from novaops.access.policy import Verb
from novaops.audit import chain
from novaops.audit.export import csv_lines

FILTERS = ("state", "owner", "due", "kind", "q")
DUE = {"overdue": "Overdue", "week": "Within a week", "none": "No date"}
NOBODY = "nobody"
# As an owner: somebody whose account is closed by now.
LEFT = "left"
COLUMNS = (
    "incident",
    "severity",
    "title",
    "kind",
    "owner",
    "owner_left",
    "due",
    "state",
    "overdue",
    "created_at",
    "closed_at",
)
State = FollowUp.State


def find(asked: Mapping[str, str], today: date, environment: str = "") -> QuerySet[FollowUp]:
    """The follow-ups that the filters leave, the most urgent first; those of rehearsals are left out."""
    found = FollowUp.objects.filter(incident__is_drill=False).select_related("incident", "owner")
    if environment:
        found = found.filter(incident__environment=environment)
    if asked["state"] in State.values:
        found = found.filter(state=asked["state"])
    if asked["kind"] in FollowUp.Kind.values:
        found = found.filter(kind=asked["kind"])
    if asked["owner"]:
        whose = {NOBODY: Q(owner=None), LEFT: Q(owner__is_active=False)}
        found = found.filter(whose.get(asked["owner"], Q(owner__username=asked["owner"])))
    if asked["q"]:
        found = found.filter(title__icontains=asked["q"])
    return _due(found, asked["due"], today).order_by(F("due").asc(nulls_last=True), "id")


def _due(found: QuerySet[FollowUp], asked: str, today: date) -> QuerySet[FollowUp]:
    if asked == "overdue":
        return found.filter(FollowUp.late(today))
    if asked == "week":
        return found.filter(state=State.OPEN, due__range=(today, today + timedelta(days=7)))
    return found.filter(due=None) if asked == "none" else found


@transaction.atomic
def change(pk: int, values: Mapping[str, Any], *, by: User) -> FollowUp:
    """Give a follow-up another title, kind, owner or date: those that are among the values."""
    number = get_object_or_404(FollowUp.objects.select_related("incident"), pk=pk).incident.number
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    each = FollowUp.objects.select_for_update(of=("self",)).select_related("owner").get(pk=pk)
    before = _said(each)
    if values.get("due", each.due) != each.due:
        refuse_past(values["due"])
    for name in values.keys() & {"title", "kind", "owner", "due"}:
        setattr(each, name, values[name])
    each.save()
    if _said(each) == before:
        return each
    publish(incident)
    chain.record(
        "incident.follow_up",
        by=by,
        subject=str(incident),
        environment=incident.environment,
        incident=number,
        detail={"follow_up": pk, "from": before, "to": _said(each)},
    )
    return each


def refuse_past(due: date | None) -> None:
    """Raise Refused where a new date is one that nobody can keep any more."""
    if due and due < timezone.now().date():
        raise Refused(f"{due:%Y-%m-%d} is over: choose today or a later day.")


def _said(each: FollowUp) -> dict[str, str]:
    return {"title": each.title, "kind": each.kind, "owner": _owner(each), "due": str(each.due or "")}


def _owner(each: FollowUp) -> str:
    return each.owner.get_username() if each.owner else ""


def rows(found: Iterable[FollowUp], today: date) -> Iterator[dict[str, Any]]:
    """Each follow-up as plain values, in the order of COLUMNS."""
    for each in found:
        yield {
            "incident": each.incident.number,
            "severity": each.incident.severity,
            "title": each.title,
            "kind": each.kind,
            "owner": _owner(each),
            "owner_left": bool(each.owner_id) and not each.owned,
            "due": each.due.isoformat() if each.due else "",
            "state": each.state,
            "overdue": each.is_late(today),
            "created_at": each.created_at.isoformat(),
            "closed_at": each.closed_at.isoformat() if each.closed_at else "",
        }


def as_csv(found: Iterable[FollowUp], today: date) -> Iterator[str]:
    """A table that no spreadsheet computes anything of."""
    return csv_lines(COLUMNS, (row.values() for row in rows(found, today)))
