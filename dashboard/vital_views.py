"""How NovaOps itself is: a page for people, and the same figures for Prometheus."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST

from dashboard import prometheus, tiles, vitals
from dashboard.models import Round
from novaops.access import tokens
from novaops.access.adapter import address_of
from novaops.access.decorators import requires
from novaops.access.policy import Verb, can

LAST_ROUNDS = 10


@require_GET
@requires(Verb.VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """Every vital, the worst first, and the last rounds of collection."""
    found = sorted(vitals.read(), key=lambda vital: tiles.WORST_FIRST.index(vital.state))
    context = {
        "vitals": found,
        "worst": tiles.worst([vital.state for vital in found if vital.key != "watchman_age_s"]),
        "rounds": Round.objects.order_by("-started_at")[:LAST_ROUNDS],
        "now": timezone.now(),
    }
    fragment = request.headers.get("HX-Request")
    return render(request, "dashboard/_vitals.html" if fragment else "dashboard/vitals.html", context)


@require_GET
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus, which shows a token with the scope `read`; also for whoever is signed in."""
    if not _may_scrape(request):
        return HttpResponse("A token with the scope read is needed.\n", status=401, content_type="text/plain")
    return HttpResponse(prometheus.text(), content_type=CONTENT_TYPE_LATEST)


def _may_scrape(request: HttpRequest) -> bool:
    if can(request.user, Verb.VIEW):
        return True
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    token = tokens.recognise(text, address=address_of(request)) if scheme.lower() == "bearer" else None
    return token is not None and bool(tokens.permits(token, Verb.VIEW))
