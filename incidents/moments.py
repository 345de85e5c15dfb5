"""The key moments of an incident, and setting one to its true time; what was said before stays on the timeline."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from incidents.guard import Refused, changed, expect, locked
from incidents.models import Incident, TimelineEntry
from incidents.timeline import Kind, append
from novaops.access.policy import Verb
from novaops.audit import chain

TITLES = {
    "started": "Started",
    "detected": "Detected",
    "acknowledged": "Acknowledged",
    "mitigated": "Mitigated",
    "resolved": "Resolved",
}
# Which moment may not be before which.
ORDER = (("started", "detected"), ("detected", "acknowledged"), ("detected", "mitigated"), ("mitigated", "resolved"))
ORDER_WITHOUT = ("detected", "resolved")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One key moment as the pages show it; `corrected` where a person set another time than NovaOps had."""

    name: str
    title: str
    at: datetime | None
    corrected: bool


def of(incident: Incident) -> list[Moment]:
    """The five moments, in their order."""
    corrected = {entry.data["moment"] for entry in history(incident)}
    return [
        Moment(name=name, title=title, at=getattr(incident, f"{name}_at"), corrected=name in corrected)
        for name, title in TITLES.items()
    ]


def history(incident: Incident) -> list[TimelineEntry]:
    """Every correction of a moment, the oldest first."""
    told = incident.timeline.filter(starred=True, data__has_key="moment").select_related("author")
    return list(told.order_by("recorded_at", "id"))


@transaction.atomic
def set_moment(number: int, name: str, at: datetime, reason: str, *, by: User, version: int | None = None) -> Incident:
    """Say when a moment truly was. Raises Refused where that cannot be, Conflict where the form is an old one."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    expect(incident, version)
    if name not in TITLES:
        raise Refused(f"There is no moment {name!r}: use {', '.join(TITLES)}.")
    if not reason.strip():
        raise Refused("Say where the time is known from.")
    before: datetime | None = getattr(incident, f"{name}_at")
    if before == at:
        return incident
    setattr(incident, f"{name}_at", at)
    _check(incident, name, at)
    changed(incident, f"{name}_at")
    was = f" instead of {before:%Y-%m-%d %H:%M:%S}" if before else ""
    text = f"{TITLES[name]} at {at:%Y-%m-%d %H:%M:%S} UTC{was}: {reason.strip()}"
    data = {"moment": name, "from": before.isoformat() if before else "", "to": at.isoformat()}
    append(incident, Kind.STATE, text, by=by, data=data, starred=True)
    chain.record(
        "incident.moment",
        by=by,
        subject=str(incident),
        environment=incident.environment,
        incident=number,
        reason=reason.strip(),
        detail=data,
    )
    return incident


def _check(incident: Incident, name: str, at: datetime) -> None:
    if at > timezone.now():
        raise Refused("That time lies in the future: give it in UTC.")
    if name == "resolved" and incident.is_open:
        raise Refused("It is not resolved yet: close Resolve first.")
    pairs = [*ORDER, ORDER_WITHOUT]
    for first, second in pairs:
        earlier, later = getattr(incident, f"{first}_at"), getattr(incident, f"{second}_at")
        if earlier and later and earlier > later:
            raise Refused(f"{TITLES[second]} ({later:%H:%M:%S}) would be before {TITLES[first]} ({earlier:%H:%M:%S}).")
