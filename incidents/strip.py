"""The open incident as every page shows it: one line under the bar, and on the overview."""

from django.utils import timezone

from dashboard.overview import IncidentStrip
from incidents.models import ChecklistStep, Incident
from incidents.steps import STEP, STEPS
from novaops.environment import Environment


def of(environment: Environment) -> IncidentStrip | None:
    """The most severe open incident of the environment, the newest of several; None where none is open."""
    open_here = Incident.objects.filter(environment=environment.name, state=Incident.State.OPEN)
    incident = open_here.select_related("commander").prefetch_related("steps").order_by("severity", "-number").first()
    if incident is None:
        return None
    return IncidentStrip(
        number=incident.number,
        title=incident.title,
        severity=incident.severity,
        age=timezone.now() - incident.started_at,
        commander=incident.commander.get_username() if incident.commander else "",
        step=_step(list(incident.steps.all())),
        url=incident.get_absolute_url(),
    )


def _step(rows: list[ChecklistStep]) -> str:
    """Where the checklist stands, as in `2/6 Assess`."""
    first = next((row for row in rows if row.is_open), None)
    return f"{first.position}/{len(STEPS)} {STEP[first.key].title}" if first else f"{len(STEPS)}/{len(STEPS)}"
