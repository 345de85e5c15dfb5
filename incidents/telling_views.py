"""Pages of what people outside the room are told: the drafts, sending them, and the summary for whoever asks."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from incidents import drafting, telling
from incidents.forms import TellForm
from incidents.guard import where
from incidents.pages import form_key, incident_of, room_context, shows_refusal, step_context, to_step
from incidents.steps import StepKey
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def tell(request: HttpRequest, number: int) -> HttpResponse:
    """Send the edited drafts, all with one click."""
    incident = incident_of(number)
    form = TellForm(request.POST, place=where(incident), at_pagerduty=telling.at_pagerduty(incident))
    if not form.is_valid():
        context = room_context(request, incident)
        context |= step_context(context, StepKey.COMMUNICATE) | {"tell_form": form}
        return render(request, "incidents/step.html", context, status=409)
    telling.tell(number, telling.Said(**form.cleaned_data), by=user_of(request), key=form_key(request))
    return to_step(number, StepKey.COMMUNICATE)


@require_POST
@requires(Verb.JOIN)
@shows_refusal
def pagerduty(request: HttpRequest, number: int) -> HttpResponse:
    """Say what the incident is called at PagerDuty."""
    telling.name_at_pagerduty(number, request.POST.get("name", "").strip(), by=user_of(request))
    return to_step(number, StepKey.COMMUNICATE)


@require_GET
@requires(Verb.VIEW)
def summary(request: HttpRequest, number: int) -> HttpResponse:
    """Where the incident stands, to read out or to copy."""
    incident = incident_of(number)
    url = request.build_absolute_uri(incident.get_absolute_url())
    entries = drafting.key_moments(incident)
    context = {"incident": incident, "text": drafting.summary(incident, where(incident), entries, url)}
    return render(request, "incidents/summary.html", context)
