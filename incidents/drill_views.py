"""The pages of drills: what can be rehearsed, what goes on, and how earlier ones went."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from incidents import drills
from incidents.guard import Refused
from incidents.models import Drill
from incidents.pages import environment_named
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.cloud import rehearsal
from novaops.cloud.errors import OutsideError

MOST = 50


@require_GET
@requires(Verb.VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """The drill that goes on, or the scenarios to begin one with, and the history."""
    place = environment_named(request.GET.get("environment"))
    refusal, scenarios = drills.refusal(place), []
    try:
        scenarios = [] if refusal else rehearsal.scenarios(settings.SANDBOX_URL)
    except OutsideError as failure:
        refusal = f"{failure}."
    context = {
        "environment": place,
        "running": drills.running(place.name),
        "refusal": refusal,
        "scenarios": scenarios,
        "history": Drill.objects.exclude(ended_at=None).select_related("incident", "started_by")[:MOST],
        "how": drills.HOW,
        "verdict": can(user_of(request), Verb.SANDBOX, place),
    }
    return render(request, "incidents/drills.html", context)


@require_POST
@requires(Verb.SANDBOX)
def start(request: HttpRequest) -> HttpResponse:
    """Let a scenario begin."""
    place = environment_named(request.POST.get("environment"))
    try:
        drills.start(place, request.POST.get("scenario", ""), by=user_of(request))
        messages.success(request, "The drill has begun. What is declared here from now on is a part of it.")
    except Refused as refused:
        messages.error(request, refused.sentence)
    return redirect("incidents:drills")


@require_POST
@requires(Verb.SANDBOX)
def end(request: HttpRequest, drill: int) -> HttpResponse:
    """End a drill and score it."""
    try:
        drills.end(drill, by=user_of(request))
    except Refused as refused:
        messages.error(request, refused.sentence)
    return redirect("incidents:drills")
