"""The error lines that Nova's services logged during an incident: read once by a worker, kept in the timeline."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from dashboard.log_lines import shown
from incidents import documents
from incidents.deadlines import base_url
from incidents.guard import Refused, where
from incidents.models import Incident
from incidents.timeline import Kind, append
from novaops.cloud import logs
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment

logger = logging.getLogger(__name__)
PATTERN = "?ERROR ?Error ?FATAL ?CRITICAL ?panic"
LINES = 20
# How long before the beginning the log is read for whoever assesses.
BEFORE = timedelta(minutes=5)
LONGEST = 400
# So long after the resolution a worker tries; then the lines are for people to look up.
TRIES_FOR = timedelta(hours=1)


def attach(now: datetime) -> None:
    """Attach what is missing to each incident that was resolved lately; an untouched document is written again."""
    for incident in Incident.objects.filter(resolved_at__gte=now - TRIES_FOR):
        try:
            place = where(incident)
        except Refused as refusal:
            logger.warning("No logs of %s: %s", incident.name, refusal.sentence)
            continue
        found = [_attached(incident, place, group) for group in _missing(incident, place)]
        if any(found):
            _write_again(incident)


def attach_early(now: datetime) -> None:
    """Attach what was logged around the beginning to each incident declared lately, for whoever assesses it."""
    for incident in Incident.objects.filter(state=Incident.State.OPEN, declared_at__gte=now - TRIES_FOR):
        try:
            place = where(incident)
        except Refused as refusal:
            logger.warning("No logs of %s: %s", incident.name, refusal.sentence)
            continue
        since, until = incident.started_at - BEFORE, incident.declared_at
        for group in _missing(incident, place, "early"):
            _attached(incident, place, group, since=since, until=until, prefix="early")


def _missing(incident: Incident, place: Environment, prefix: str = "excerpt") -> list[str]:
    """The log groups of the affected services that were not read yet."""
    told = set(incident.timeline.filter(dedup_key__startswith=f"{prefix}:").values_list("dedup_key", flat=True))
    return [group for group in dict.fromkeys(_groups(incident, place)) if _key(group, prefix) not in told]


def _groups(incident: Incident, place: Environment) -> Iterator[str]:
    if "api" in incident.services:
        yield place.api.on_ecs.log_group if place.api.kind == "ecs" else place.api.on_ec2.log_group
    if "events" in incident.services:
        yield place.events.log_group


def _key(group: str, prefix: str = "excerpt") -> str:
    return f"{prefix}:{group}"[:120]


def _attached(
    incident: Incident,
    place: Environment,
    group: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    prefix: str = "excerpt",
) -> bool:
    """Read the group outside of any transaction, then tell the timeline; False where it did not answer."""
    start, end = since or incident.started_at, until or incident.resolved_at or incident.started_at
    try:
        found = logs.filter_events(place, group, start=start, end=end, pattern=PATTERN, limit=LINES)
    except OutsideError as failure:
        logger.warning("No logs of %s from %s yet: %s", incident.name, group, failure)
        return False
    lines = [f"{line.at:%H:%M:%S} {line.stream} {line.message}"[:LONGEST] for line in found]
    text = f"First {len(lines)} error lines of {group}" if lines else f"No error line in {group}"
    lines = [shown(line) for line in lines]
    data = {"excerpt": lines, "group": group, "pattern": PATTERN} if lines else {"group": group, "pattern": PATTERN}
    with transaction.atomic():
        append(incident, Kind.STATE, text, at=end, data=data, dedup_key=_key(group, prefix))
    return bool(lines)


def _write_again(incident: Incident) -> None:
    """Only what nobody has touched."""
    if documents.untouched().filter(incident=incident).exists():
        documents.regenerate(incident.number, by=None, base_url=base_url())
