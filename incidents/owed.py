"""The post-mortems that people owe, as the overview and the reminders see them."""

from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from dashboard.overview import Owed
from incidents.models import POSTMORTEM_WITHIN, Incident, Postmortem
from novaops import live
from novaops.environment import Environment

SOON = timedelta(hours=24)
KEPT_FOR_S = 60
MOST_SHOWN = 4


def documents() -> QuerySet[Postmortem]:
    """The post-mortems of which nothing was published yet; those of rehearsals are nobody's debt."""
    merged = Incident.State.MERGED
    open_ = Postmortem.objects.filter(
        Postmortem.owing(), incident__waiver=None, incident__is_drill=False, incident__resolved_at__isnull=False
    )
    return open_.exclude(incident__state=merged).select_related("incident").order_by("due_at")


def debts(environment: Environment) -> list[Owed]:
    """What is due soon or overdue, for the overview; read from rows once a minute."""
    key = f"owed:{environment.name}"
    found: list[Owed] | None = cache.get(key)
    if found is None:
        found = _debts(environment, timezone.now())
        cache.set(key, found, timeout=KEPT_FOR_S)
    return found


def changed(environment: str) -> None:
    """Something was published or waived: the overview reads again."""
    transaction.on_commit(lambda: cache.delete(f"owed:{environment}"))
    live.publish(f"overview:{environment}")


def resolved(incident: Incident) -> None:
    """The clock of its document, where it has one already, begins with the resolution, also with a second one."""
    if incident.resolved_at:
        due_at = incident.resolved_at + POSTMORTEM_WITHIN
        Postmortem.objects.filter(incident=incident).update(due_at=due_at, reminded=0)


def reopened(incident: Incident) -> None:
    """What was published tells only a part by now: it is owed again."""
    published = Postmortem.objects.filter(incident=incident, state=Postmortem.State.PUBLISHED)
    published.update(state=Postmortem.State.DRAFT, published_at=None)
    changed(incident.environment)


def _debts(environment: Environment, now: datetime) -> list[Owed]:
    near = documents().filter(incident__environment=environment.name, due_at__lte=now + SOON)
    return [
        Owed(
            state="crit" if postmortem.due_at <= now else "warn",
            word="Overdue" if postmortem.due_at <= now else "Due soon",
            text=f"Post-mortem of {postmortem.incident.name}: {postmortem.incident.title}",
            at=postmortem.due_at,
            url=reverse("incidents:postmortem", args=[postmortem.incident.number]),
        )
        for postmortem in near.defer("text")[:MOST_SHOWN]
    ]
