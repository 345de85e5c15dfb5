"""Two incidents of one cause become one: the other's number leads here, and its timeline is joined."""

from django.contrib.auth.models import User
from django.db import connection, transaction

from incidents import joined_documents, telling_merged
from incidents.checklist import SHORTEST_REASON
from incidents.declaring import Declaration
from incidents.guard import Refused, changed, locked
from incidents.links import link_alert
from incidents.models import Drill, FollowUp, Incident, Role
from incidents.timeline import Kind, append, publish
from novaops.access.policy import Verb
from novaops.audit import chain

# What was told twice, such as an alert, stays once: the key of an entry is unique in an incident.
JOIN_TIMELINE = """
INSERT INTO incidents_timelineentry
    (incident_id, at, recorded_at, kind, author_id, text, url, data, dedup_key, starred, pinned, folded)
SELECT %s, at, recorded_at, kind, author_id, text, url, data || jsonb_build_object('merged_from', %s::int),
    dedup_key, starred, pinned, false
FROM incidents_timelineentry WHERE incident_id = %s ORDER BY at, id
ON CONFLICT DO NOTHING
"""
JOIN_LINKS = """
INSERT INTO incidents_link (incident_id, kind, ref)
SELECT %s, kind, ref FROM incidents_link WHERE incident_id = %s ON CONFLICT DO NOTHING
"""


@transaction.atomic
def merge(number: int, into: int, reason: str, *, by: User) -> Incident:
    """Make the open incident `number` a part of the open incident `into`; its own pages lead there from now on."""
    if number == into:
        raise Refused("An incident cannot be merged into itself.")
    if len(reason.strip()) < SHORTEST_REASON:
        raise Refused(f"Say in at least {SHORTEST_REASON} characters why they are the same.")
    found = {each: locked(each, by=by, verb=Verb.COMMAND) for each in sorted((number, into))}
    source, (target, place) = found[number][0], found[into]
    _check(source, target)
    named = telling_merged.only_its(source, target, place)
    source.state, source.merged_into = Incident.State.MERGED, target
    append(source, Kind.STATE, f"Merged into {target.name}: {reason.strip()}", by=by, starred=True)
    changed(source, "state", "merged_into")
    Incident.objects.filter(merged_into=source).update(merged_into=target)
    _join(source, target)
    text = f"{source.name} ({source.severity}, {source.title}) was merged into this: {reason.strip()}"
    append(target, Kind.STATE, text, by=by, data={"merged": source.number, "why": reason.strip()}, starred=True)
    joined_documents.join(source, target, by=by)
    told = telling_merged.tell(source, target, place, named, by=by)
    publish(target)
    detail = {"merged": source.number, "into": target.number, "messages": [message.pk for message in told]}
    for incident in (source, target):
        chain.record(
            "incident.merged",
            by=by,
            subject=str(incident),
            environment=incident.environment,
            incident=incident.number,
            reason=reason.strip(),
            detail=detail,
        )
    return target


def _check(source: Incident, target: Incident) -> None:
    if source.environment != target.environment or source.is_drill != target.is_drill:
        raise Refused("Only incidents of the same environment are merged, and no drill with a real one.")
    closed = [incident.name for incident in (source, target) if not incident.is_open]
    if closed:
        raise Refused(f"Only open incidents are merged: {', '.join(closed)} is not.")


def _join(source: Incident, target: Incident) -> None:
    with connection.cursor() as cursor:
        cursor.execute(JOIN_TIMELINE, [target.pk, source.number, source.pk])
        cursor.execute(JOIN_LINKS, [target.pk, source.pk])
    FollowUp.objects.filter(incident=source).update(incident=target)
    if not Drill.objects.filter(incident=target).exists():
        Drill.objects.filter(incident=source).update(incident=target)
    for role in source.roles.filter(until=None):
        values = {"since": role.since}
        Role.objects.get_or_create(
            incident=target, name=Role.Name.RESPONDER, user=role.user, until=None, defaults=values
        )
    target.services = list(dict.fromkeys([*target.services, *source.services]))
    target.severity = min(target.severity, source.severity)
    target.started_at = min(target.started_at, source.started_at)
    target.detected_at = min(filter(None, (target.detected_at, source.detected_at)), default=None)
    changed(target, "services", "severity", "started_at", "detected_at")


@transaction.atomic
def add_to(number: int, declaration: Declaration, *, by: User) -> Incident:
    """Add what would have been declared to an open incident: its alert, its report, its services."""
    incident, place = locked(number, by=by, verb=Verb.JOIN)
    if not incident.is_open or place.name != declaration.environment.name:
        raise Refused(f"{incident.name} is not open there any more: declare it.")
    if declaration.alert:
        link_alert(incident, declaration.alert)
    if declaration.report.strip():
        append(incident, Kind.NOTE, declaration.report.strip(), by=by, data={"report": True}, starred=True)
    incident.services = list(dict.fromkeys([*incident.services, *declaration.services]))
    changed(incident, "services")
    text = f"Added instead of a second incident: {declaration.title}"
    append(incident, Kind.STATE, text, by=by, data={"services": incident.services})
    chain.record(
        "incident.added",
        by=by,
        subject=str(incident),
        environment=incident.environment,
        incident=number,
        detail={"title": declaration.title, "alert": getattr(declaration.alert, "pk", None)},
    )
    return incident


def candidates(incident: Incident) -> list[Incident]:
    """The open incidents that it may be the same as: those that affect the same services first."""
    others = Incident.objects.filter(
        environment=incident.environment, state=Incident.State.OPEN, is_drill=incident.is_drill
    ).exclude(pk=incident.pk)
    mine = set(incident.services)
    return sorted(others[:20], key=lambda other: (not mine & set(other.services), -other.number))
