"""Declaring: from a firing alert in one click, or by a form from what a person saw."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.models import Alert
from incidents import declaring, merging
from incidents.forms import DeclareForm
from incidents.guard import Refused
from incidents.models import Incident
from incidents.pages import environment_named, whole
from incidents.severity import REACH_OF_ALERT
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb
from novaops.environment import Environment


@require_http_methods(["GET", "POST"])
@requires(Verb.JOIN)
def new(request: HttpRequest) -> HttpResponse:
    """Declare: from the newest firing alert (or `?alert=`), or from what a person saw. What was typed is kept."""
    if request.method == "GET":
        place = environment_named(request.GET.get("environment"))
        return _new_page(request, DeclareForm(initial=_proposal(place, request.GET.get("alert", ""))))
    form = DeclareForm(request.POST)
    if not form.is_valid():
        return _new_page(request, form)
    into = whole(request.POST.get("add_to", ""))
    try:
        if into:
            return redirect(merging.add_to(into, _declaration(form), by=user_of(request)))
        declared = declaring.declare(_declaration(form), by=user_of(request), anyway=form.cleaned_data["anyway"])
    except declaring.Covered as refusal:
        return _new_page(request, form, covered=refusal)
    except Refused as refusal:
        form.add_error(None, refusal.sentence)
        return _new_page(request, form)
    return redirect(declared)


def _new_page(request: HttpRequest, form: DeclareForm, covered: declaring.Covered | None = None) -> HttpResponse:
    open_now = Incident.objects.filter(state=Incident.State.OPEN).select_related("commander")[:5]
    context = {
        "form": form,
        "covered": covered.incident if covered else None,
        "same_cause": covered and covered.same_cause,
        "open_now": open_now,
    }
    return render(request, "incidents/new.html", context, status=409 if covered else 200)


def _proposal(place: Environment, asked: str) -> dict[str, Any]:
    firing = Alert.objects.filter(environment=place.name, cleared_at=None)
    alert = firing.filter(pk=whole(asked) or 0).first() if asked else firing.first()
    if alert is None:
        return {"environment": place.name, "loss": "no"}
    said = declaring.of_alert(alert, place)
    return {
        "environment": place.name,
        "alert": alert.pk,
        "title": said.title,
        "reach": REACH_OF_ALERT.get(alert.severity, ""),
        "loss": "no",
        "services": list(said.services),
        "impact": "",
    }


@require_POST
@requires(Verb.JOIN)
def declare_alert(request: HttpRequest, alert: int) -> HttpResponse:
    """Declare from an alert in one click; where an incident is open for its cause, go there."""
    found = get_object_or_404(Alert, pk=alert)
    place = environment_named(found.environment)
    try:
        return redirect(declaring.declare(declaring.of_alert(found, place), by=user_of(request)))
    except declaring.Covered as refusal:
        if refusal.same_cause:
            return redirect(refusal.incident)
        form = DeclareForm(initial=_proposal(place, str(alert)))
        return _new_page(request, form, covered=refusal)


def _declaration(form: DeclareForm) -> declaring.Declaration:
    said = form.cleaned_data
    return declaring.Declaration(
        environment=environment_named(said["environment"]),
        title=said["title"],
        severity=said["severity"],
        services=tuple(said["services"]),
        impact=said["impact"],
        report=said["report"],
        started_at=said["started_at"],
        alert=said["alert"],
    )
