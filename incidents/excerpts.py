"""The error lines that Nova's services logged during an incident: read once by a worker, kept in the timeline."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

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


def _missing(incident: Incident, place: Environment) -> list[str]:
    """The log groups of the affected services that were not read yet."""
    told = set(incident.timeline.filter(dedup_key__startswith="excerpt:").values_list("dedup_key", flat=True))
    return [group for group in dict.fromkeys(_groups(incident, place)) if _key(group) not in told]


def _groups(incident: Incident, place: Environment) -> Iterator[str]:
    if "api" in incident.services:
        yield place.api.on_ecs.log_group if place.api.kind == "ecs" else place.api.on_ec2.log_group
    if "events" in incident.services:
        yield place.events.log_group


def _key(group: str) -> str:
    return f"excerpt:{group}"[:120]


def _attached(incident: Incident, place: Environment, group: str) -> bool:
    """Read the group outside of any transaction, then tell the timeline; False where it did not answer."""
    start, end = incident.started_at, incident.resolved_at or incident.started_at
    try:
        found = logs.filter_events(place, group, start=start, end=end, pattern=PATTERN, limit=LINES)
    except OutsideError as failure:
        logger.warning("No logs of %s from %s yet: %s", incident.name, group, failure)
        return False
    lines = [f"{line.at:%H:%M:%S} {line.stream} {line.message}"[:LONGEST] for line in found]
    text = f"First {len(lines)} error lines of {group}" if lines else f"No error line in {group}"
    data = {"excerpt": lines, "group": group, "pattern": PATTERN} if lines else {"group": group, "pattern": PATTERN}
    with transaction.atomic():
        append(incident, Kind.STATE, text, at=end, data=data, dedup_key=_key(group))
    return bool(lines)


def _write_again(incident: Incident) -> None:
    """Only what nobody has touched."""
    if documents.untouched().filter(incident=incident).exists():
        documents.regenerate(incident.number, by=None, base_url=base_url())
