"""The overview, and its fragment that open pages poll."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from dashboard import overview as overviews
from dashboard.context_processors import ON_REQUEST, asked
from dashboard.overview import Overview
from novaops import live
from novaops.access.decorators import requires
from novaops.access.policy import Verb, can
from novaops.environment import Environment
from novaops.runbook.action import Risk


@require_GET
@requires(Verb.VIEW)
def overview(request: HttpRequest) -> HttpResponse:
    """Is Nova healthy, what is burning, who is on it, what can I do."""
    return render(request, "dashboard/overview.html", {"overview": build(request, asked(request))})


@require_GET
@requires(Verb.VIEW)
def tiles(request: HttpRequest) -> HttpResponse:
    """The overview's content for an open page: 204 while nothing moved on, rendered once for all of the same rights."""
    environment = asked(request)
    current = overviews.revision(environment)
    live.remember(request, overviews.topics(environment), environment.collect_every_s)
    unchanged = live.unchanged(request, current)
    if unchanged:
        return unchanged

    def rendered() -> str:
        return render_to_string("dashboard/_overview.html", {"overview": build(request, environment)}, request)

    return HttpResponse(
        live.fragment(f"overview:{environment.name}:{_rights(request, environment)}", current, rendered)
    )


def build(request: HttpRequest, environment: Environment) -> Overview:
    """The overview, which the bar of the page then takes its part of."""
    built = overviews.build(environment, request.user)
    setattr(request, ON_REQUEST, built)
    return built


def _rights(request: HttpRequest, environment: Environment) -> str:
    """What of the user's rights changes how the fragment looks: which offers are open."""
    return "".join(risk.value[:3] for risk in Risk if can(request.user, risk.verb, environment))
