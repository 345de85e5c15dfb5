"""The open incident as every page shows it, under the bar and on the overview; all that are open for the palette."""

from collections.abc import Iterator
from itertools import product
from urllib.parse import urlencode

from django.db.models import Count, OuterRef, Subquery, Window
from django.urls import reverse
from django.utils import timezone

from dashboard.commands import Command
from dashboard.models import Alert
from dashboard.overview import IncidentStrip
from incidents.models import ChecklistStep, Incident
from incidents.steps import STEPS
from novaops.environment import Environment


def of(environment: Environment) -> IncidentStrip | None:
    """The most severe open incident of the environment, the newest of several; None where none is open."""
    open_here = Incident.objects.filter(environment=environment.name, state=Incident.State.OPEN)
    first = ChecklistStep.objects.filter(incident=OuterRef("pk"), state=ChecklistStep.State.OPEN).values("position")[:1]
    worst = open_here.select_related("commander").order_by("severity", "-number")
    incident = worst.annotate(open_step=Subquery(first), open_in_all=Window(Count("pk"))).first()
    if incident is None:
        return None
    return IncidentStrip(
        number=incident.number,
        title=f"DRILL: {incident.title}" if incident.is_drill else incident.title,
        severity=incident.severity,
        age=timezone.now() - incident.started_at,
        commander=incident.commander.get_username() if incident.commander else "",
        step=_step(incident.open_step),
        url=incident.get_absolute_url(),
        update_due_at=incident.next_update_due_at,
        others=incident.open_in_all - 1,
    )


def commands(environment: Environment) -> Iterator[Command]:
    """Every open incident of the environment, the most severe first; its steps where somebody types their words."""
    here = Incident.objects.filter(environment=environment.name, state=Incident.State.OPEN)
    found = list(here.order_by("severity", "-number"))
    for incident in found:
        title = f"{incident.name} {incident.title}"
        yield Command(title=title, url=incident.get_absolute_url(), detail=incident.severity)
    for incident, step in product(found, STEPS):
        url = f"{incident.get_absolute_url()}steps/{step.key}/"
        words = f"{step.button} {step.words}"
        yield Command(title=step.title, url=url, detail=incident.name, words=words, only_asked=True)


def alerts(environment: Environment) -> Iterator[Command]:
    """Declaring, for each alert that fires."""
    for alert in Alert.objects.filter(environment=environment.name, cleared_at=None):
        url = f"{reverse('incidents:new')}?{urlencode({'environment': environment.name, 'alert': alert.pk})}"
        yield Command(title=f"Declare: {alert.title}", url=url, detail=alert.service, words="incident alert")


def _step(position: int | None) -> str:
    """Where the checklist stands, as in `2/6 Assess`."""
    return f"{position}/{len(STEPS)} {STEPS[position - 1].title}" if position else f"{len(STEPS)}/{len(STEPS)}"
