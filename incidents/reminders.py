"""Reminds of the updates that a severity promises: before one is due, when it is overdue, and again each interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from incidents import drafting, telling
from incidents.models import Incident, Role
from incidents.timeline import publish
from novaops import environment as environments
from novaops.environment import Environment
from novaops.outbox.models import Message
from novaops.outbox.posting import SlackText, post

SOON = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Reminder:
    """An update that is promised, and how many intervals it is late; -1 while it is only due soon."""

    incident: Incident
    due_at: datetime
    late: int

    @property
    def key(self) -> str:
        return f"reminder:{self.incident.number}:{self.due_at.isoformat()}:{self.late}"

    @property
    def text(self) -> str:
        when = f"{self.due_at:%H:%M} UTC"
        what = f"the next update is due at {when}" if self.late < 0 else f"the update of {when} is overdue"
        said = f"{self.incident.name} {self.incident.title}: {what}. {_who(self.incident)} {_url(self.incident)}"
        return drafting.marked(self.incident, said)


def due(now: datetime) -> Iterator[Reminder]:
    """What is to be reminded of at this moment."""
    for incident in Incident.objects.filter(state=Incident.State.OPEN).select_related("commander"):
        due_at, every = incident.next_update_due_at, incident.grade.update_every
        if due_at and every and now >= due_at - SOON:
            yield Reminder(incident=incident, due_at=due_at, late=(now - due_at) // every)


def remind() -> None:
    """Give every reminder that is due, once: to Slack where it is configured, and on open pages."""
    for reminder in due(timezone.now()):
        place = environments.get(reminder.incident.environment)
        leaves = place and place.slack and not telling.silenced(reminder.incident, place)
        given = _posted(reminder, place) if place and leaves else _shown(reminder)
        if given:
            publish(reminder.incident)


def _posted(reminder: Reminder, place: Environment) -> bool:
    """Post it in the incident's thread; False where it was before."""
    if Message.objects.filter(idempotency_key=reminder.key).exists():
        return False
    post(
        SlackText(text=reminder.text, reply=True),
        environment=place,
        key=reminder.key,
        subject=f"Reminder for {reminder.incident.name}",
        lane=f"incident:{reminder.incident.number}:slack",
        keep_for=timedelta(minutes=30),
    )
    return True


def _shown(reminder: Reminder) -> bool:
    """Let the pages show it; False where they do."""
    return bool(cache.add(reminder.key, 1, timeout=24 * 3600))


def _url(incident: Incident) -> str:
    return f"{settings.OWN_URL}{incident.get_absolute_url()}"


def _who(incident: Incident) -> str:
    """Whose it is to tell people: communications, else the commander."""
    held = incident.roles.filter(name=Role.Name.COMMUNICATIONS, until=None).select_related("user").first()
    if held:
        return f"Communications: {held.user}."
    return f"Commander: {incident.commander or 'nobody yet'}."
