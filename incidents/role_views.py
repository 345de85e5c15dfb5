"""Who does what in an incident: roles, the hand-over of command, and who is looking."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from incidents import drafting, presence
from incidents import incident as decide
from incidents.forms import RoleForm
from incidents.guard import Refused, where
from incidents.models import Incident
from incidents.pages import alone, incident_of
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can


@require_http_methods(["GET", "POST"])
@requires(Verb.VIEW)
def roles(request: HttpRequest, number: int) -> HttpResponse:
    """Who holds which role; the form gives one, and hands command over with a summary."""
    incident = incident_of(number)
    form = RoleForm(request.POST or None, initial={"role": request.GET.get("role", "commander")})
    if request.method == "POST" and form.is_valid():
        try:
            _give(request, number, form)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            return redirect(incident)
    return _page(request, incident, form)


def _give(request: HttpRequest, number: int, form: RoleForm) -> None:
    said = form.cleaned_data
    if said["role"] == "commander":
        decide.set_commander(number, said["user"], by=user_of(request), note=said["note"])
    else:
        decide.set_role(number, said["role"], said["user"], by=user_of(request))


def _page(request: HttpRequest, incident: Incident, form: RoleForm) -> HttpResponse:
    place = where(incident)
    context = {
        "incident": incident,
        "form": form,
        "held": incident.roles.filter(until=None).select_related("user"),
        "summary": drafting.summary(incident, place, drafting.key_moments(incident)),
        "can_join": can(user_of(request), Verb.JOIN, place),
    }
    return render(request, "incidents/roles.html", context, status=409 if form.errors else 200)


@require_GET
@requires(Verb.VIEW)
def here(request: HttpRequest, number: int) -> HttpResponse:
    """Who looks at the incident now; asking says that one does."""
    incident = incident_of(number, alone)
    found = presence.here(incident, user_of(request))
    return render(request, "incidents/_here.html", {"incident": incident, "here": found})
