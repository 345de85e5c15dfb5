"""What the page of Communicate shows besides its step: the drafts, what was told, and the incident at PagerDuty."""

from typing import Any

from incidents import drafting, telling
from incidents.forms import TellForm
from incidents.models import Incident
from incidents.steps import StepKey


def of_step(context: dict[str, Any], key: str) -> dict[str, Any]:
    """What a step's page shows of telling people: the drafts at Communicate, what resolving will tell at Resolve."""
    incident: Incident = context["incident"]
    if key == StepKey.COMMUNICATE:
        return _of_communicate(context, incident)
    if key == StepKey.RESOLVE and incident.is_open:
        return {"closing": [str(content) for _, content in telling.closing(incident, context["room"].environment)]}
    return {}


def _of_communicate(context: dict[str, Any], incident: Incident) -> dict[str, Any]:
    place = context["room"].environment
    named = telling.at_pagerduty(incident) if place.pagerduty else []
    return {"tell_form": _form(incident, context, named), "at_pagerduty": named}


def _form(incident: Incident, context: dict[str, Any], named: list[str]) -> TellForm | None:
    place = context["room"].environment
    if not (place.slack or place.status_page):
        return None
    done = [piece.text for step in context["room"].steps for piece in step.evidence if piece.kind == "run"]
    draft = drafting.draft(incident, place, done, context["url"])
    initial = {
        "slack": draft.slack,
        "page_name": draft.page_name,
        "page_status": draft.page_status,
        "page": draft.page,
        "pagerduty": True,
    }
    return TellForm(initial=initial, place=place, at_pagerduty=named)
