"""What the page of Communicate shows besides its step: the drafts, what was told, and the incident at PagerDuty."""

from typing import Any

from incidents import drafting, telling
from incidents.forms import TellForm
from incidents.models import Incident
from incidents.room import StepView
from incidents.steps import StepKey
from novaops.environment import Environment


def of_step(context: dict[str, Any], key: str) -> dict[str, Any]:
    """What a step's page shows of telling people: the drafts at Communicate, what resolving will tell at Resolve."""
    incident: Incident = context["incident"]
    if key == StepKey.COMMUNICATE:
        return _of_communicate(context, incident)
    if key == StepKey.RESOLVE and incident.is_open:
        return {"closing": [str(content) for _, content in telling.closing(incident, context["room"].environment)]}
    return {}


def drafted(incident: Incident, place: Environment, steps: list[StepView], url: str) -> drafting.Draft:
    """The drafts as the facts stand now, with the actions that the steps have as evidence."""
    pieces = [piece.as_json() for step in steps for piece in step.evidence]
    pieces += [piece for step in steps if not step.row.is_open for piece in step.row.evidence]
    return drafting.draft(incident, place, [piece["text"] for piece in pieces if piece["kind"] == "run"], url)


def _of_communicate(context: dict[str, Any], incident: Incident) -> dict[str, Any]:
    place = context["room"].environment
    named = telling.at_pagerduty(incident) if place.pagerduty else []
    return {"tell_form": _form(incident, context, named), "at_pagerduty": named}


def _form(incident: Incident, context: dict[str, Any], named: list[str]) -> TellForm | None:
    place = context["room"].environment
    if not (place.slack or place.status_page):
        return None
    draft = drafted(incident, place, context["room"].steps, context["url"])
    initial = {
        "slack": draft.slack,
        "page_name": draft.page_name,
        "page_status": draft.page_status,
        "page": draft.page,
        "pagerduty": True,
    }
    return TellForm(initial=initial, place=place, at_pagerduty=named)
