"""Decisions about an incident: each changes its rows, tells the timeline and writes its audit entry, or nothing."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from incidents import drafting, health
from incidents.follow_ups import refuse_past
from incidents.guard import Refused, changed, expect, locked, permit
from incidents.links import link_what_is_there
from incidents.models import FollowUp, Incident, Role, TimelineEntry
from incidents.severity import SEVERITIES
from incidents.timeline import Kind, append, publish
from novaops.access.policy import Verb, can
from novaops.audit import chain
from novaops.environment import SERVICE_KINDS

MARKS = ("starred", "pinned")
# A longer note is a pasted log, which every open room would show.
LONGEST_NOTE = 20_000
CHANNELS = {"slack": "Slack", "status-page": "Status page", "other": "Other", "update": "Update"}


@transaction.atomic
def set_commander(number: int, user: User, *, by: User, note: str = "") -> Incident:
    """Give command to `user`: takes it, assigns it, or hands it over with where the incident stands and a note."""
    incident, place = locked(number, by=by, verb=Verb.COMMAND)
    verdict = can(user, Verb.COMMAND, place)
    if not verdict.allowed:
        raise Refused(f"{user} may not command incidents: choose a commander.")
    before = incident.commander
    if before == user:
        return incident
    summary = drafting.summary(incident, place, drafting.key_moments(incident))
    incident.commander = user
    incident.acknowledged_at = incident.acknowledged_at or timezone.now()
    incident.save(update_fields=["commander", "acknowledged_at"])
    handed = f", handed over by {before}" if before else ""
    text = f"{user} took command{handed}" if user == by else f"{by} gave command to {user}{handed}"
    append(incident, Kind.ROLE, text, by=by, data={"role": "commander", "from": str(before or ""), "to": str(user)})
    if before:
        handed_over = "\n".join(filter(None, [f"Handed over to {user}:", note.strip(), summary]))
        append(incident, Kind.NOTE, handed_over, by=by, data={"handover": True})
    detail = {"from": str(before or ""), "to": str(user), "note": note.strip()}
    _record("incident.commander", incident, by, detail=detail)
    return incident


@transaction.atomic
def set_role(number: int, name: str, user: User, *, by: User) -> Incident:
    """Give a role besides the commander to `user`. Joining as responder needs no commander."""
    joins = name == Role.Name.RESPONDER and user == by
    incident, place = locked(number, by=by, verb=Verb.JOIN if joins else Verb.COMMAND)
    if name not in Role.Name.values:
        raise Refused(f"There is no role {name!r}: use commander, {', '.join(Role.Name.values)}.")
    if not can(user, Verb.JOIN, place).allowed:
        raise Refused(f"{user} may not write in incidents.")
    _, created = Role.objects.get_or_create(
        incident=incident, name=name, user=user, until=None, defaults={"since": timezone.now()}
    )
    if created:
        label = Role.Name(name).label.lower()
        append(incident, Kind.ROLE, f"{user} is {label}", by=by, data={"role": name, "to": str(user)})
        _record("incident.role", incident, by, detail={"role": name, "to": str(user)})
    return incident


@transaction.atomic
def end_role(number: int, role: int, *, by: User) -> Incident:
    """End somebody's role; one's own needs no commander."""
    incident, place = locked(number, by=by, verb=Verb.JOIN)
    held = incident.roles.select_related("user").filter(pk=role, until=None).first()
    if not held:
        return incident
    if held.user != by:
        permit(by, Verb.COMMAND, place)
    held.until = timezone.now()
    held.save(update_fields=["until"])
    append(incident, Kind.ROLE, f"{held.user} is no longer {held.name}", by=by, data={"role": held.name})
    _record("incident.role", incident, by, detail={"role": held.name, "from": str(held.user)})
    return incident


@transaction.atomic
def note(
    number: int, text: str, *, by: User, key: str = "", at: datetime | None = None, report: bool = False
) -> Incident:
    """Write a note, once for each `key` of a form; `report` makes it a person's report, which detects."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    if not text.strip():
        raise Refused("The note is empty.")
    if len(text) > LONGEST_NOTE:
        raise Refused(f"A note has at most {LONGEST_NOTE:,} characters: write what matters, and link to the rest.")
    data = {"report": True} if report else {}
    append(incident, Kind.NOTE, text.strip(), by=by, at=_past(at), data=data, dedup_key=key, starred=report)
    if report and not incident.detected_at:
        incident.detected_at = at or timezone.now()
        incident.save(update_fields=["detected_at"])
    _record("incident.note", incident, by, detail={"text": text.strip()[:500]})
    return incident


def _past(at: datetime | None) -> datetime | None:
    if at and at > timezone.now():
        raise Refused("That time lies in the future: give it in UTC.")
    return at


@transaction.atomic
def message(number: int, channel: str, text: str, *, by: User, url: str = "", key: str = "") -> Incident:
    """Record that people were told something, and where."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    if channel not in CHANNELS or not text.strip():
        raise Refused("Say where it was posted, and what.")
    incident.told_at = timezone.now()
    incident.save(update_fields=["told_at"])
    told = f"{CHANNELS[channel]}: {text.strip()}"
    append(incident, Kind.MESSAGE, told, by=by, url=url, data={"channel": channel}, dedup_key=key)
    _record("incident.message", incident, by, detail={"channel": channel, "url": url})
    return incident


@transaction.atomic
def set_severity(number: int, severity: str, *, by: User, reason: str = "", version: int | None = None) -> Incident:
    """Change the severity by its written definition."""
    incident, _ = locked(number, by=by, verb=Verb.COMMAND)
    expect(incident, version)
    if severity not in SEVERITIES:
        raise Refused(f"There is no severity {severity!r}: use {', '.join(SEVERITIES)}.")
    before = incident.severity
    if before == severity:
        return incident
    incident.severity = severity
    changed(incident, "severity")
    text = f"Severity {before} → {severity}" + (f": {reason.strip()}" if reason.strip() else "")
    append(incident, Kind.SEVERITY, text, by=by, data={"from": before, "to": severity})
    _record("incident.severity", incident, by, reason=reason, detail={"from": before, "to": severity})
    return incident


@transaction.atomic
def set_affected(
    number: int, services: tuple[str, ...], impact: str, *, by: User, title: str = "", version: int | None = None
) -> Incident:
    """Set what is affected and how; the overview's verdict is attached again, as it stands now.

    Raises Conflict where the form that asks shows another `version`.
    """
    incident, place = locked(number, by=by, verb=Verb.JOIN)
    expect(incident, version)
    if not services or set(services) - set(SERVICE_KINDS):
        raise Refused("Choose at least one service of the environment.")
    before = {"title": incident.title, "services": incident.services, "impact": incident.impact}
    incident.services, incident.impact = list(services), impact.strip()
    incident.title = " ".join(title.split())[:200] or incident.title
    changed(incident, "title", "services", "impact")
    after = {"title": incident.title, "services": incident.services, "impact": incident.impact}
    if before["title"] != incident.title:
        append(incident, Kind.STATE, f"Title: {before['title']} → {incident.title}", by=by)
    text = f"Affected: {', '.join(health.titles(services))}" + (f". {impact.strip()}" if impact.strip() else "")
    append(incident, Kind.STATE, text, by=by, data={"services": list(services)})
    health.attach_snapshot(incident, place)
    link_what_is_there(incident)
    _record("incident.affected", incident, by, detail={"from": before, "to": after})
    return incident


@transaction.atomic
def mark(number: int, entry: int, name: str, on: bool, *, by: User) -> Incident:
    """Mark a timeline entry as a key moment (`starred`) or keep it on top (`pinned`), or take the mark away."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    if name not in MARKS or not TimelineEntry.objects.filter(incident=incident, pk=entry).update(**{name: on}):
        raise Refused("That entry does not belong to this incident.")
    publish(incident)
    _record("incident.star", incident, by, detail={"entry": entry, name: on})
    return incident


@transaction.atomic
def add_follow_up(number: int, follow_up: FollowUp, *, by: User) -> Incident:
    """Write down a piece of work that came out of the incident."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    refuse_past(follow_up.due)
    follow_up.incident, follow_up.created_by, follow_up.created_at = incident, by, timezone.now()
    follow_up.save(force_insert=True)
    append(incident, Kind.NOTE, f"Follow-up: {follow_up.title}", by=by, data={"follow_up": follow_up.pk})
    _record("incident.follow_up", incident, by, detail={"title": follow_up.title, "kind": follow_up.kind})
    return incident


@transaction.atomic
def set_follow_up_state(number: int, follow_up: int, state: str, *, by: User) -> Incident:
    """Finish, drop or open a follow-up again."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    known = state in FollowUp.State.values
    closed_at = None if state == FollowUp.State.OPEN else timezone.now()
    if not known or not incident.follow_ups.filter(pk=follow_up).update(state=state, closed_at=closed_at):
        raise Refused("That follow-up does not belong to this incident.")
    publish(incident)
    _record("incident.follow_up", incident, by, detail={"follow_up": follow_up, "state": state})
    return incident


def _record(verb: str, incident: Incident, by: User | None, **more: Any) -> None:
    chain.record(verb, by=by, subject=str(incident), environment=incident.environment, incident=incident.number, **more)
