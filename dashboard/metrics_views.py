"""The past of a service for machines and for charts: `/metrics/<service>.json`."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from dashboard import charts, history, overview
from dashboard.context_processors import asked
from dashboard.services.base import services
from novaops import environment as declared
from novaops import live
from novaops.access.decorators import requires
from novaops.access.policy import Verb, can
from novaops.environment import Environment


@require_GET
@requires(Verb.VIEW)
@gzip_page
def metrics(request: HttpRequest, kind: str) -> HttpResponse:
    """The charted series of a service in columns: `from`, `to`, `res`; 204 where `rev` is still current."""
    watched, environment = services.get(kind), seen(request)
    if watched is None:
        raise Http404
    current = overview.revision(environment)
    unchanged = live.unchanged(request, current)
    if unchanged:
        return unchanged
    try:
        period_s = max(environment.metric_period_s, environment.collect_every_s)
        stretch = history.asked(request.GET.dict(), timezone.now(), period_s)
    except history.BadStretchError as wrong:
        return JsonResponse({"error": str(wrong)}, status=400)
    found = charts.drawn(watched, environment, stretch)
    return HttpResponse(charts.as_json(found, current), content_type="application/json")


def seen(request: HttpRequest) -> Environment:
    """The environment that is asked for, where the user may see it. A name that is not declared is not found."""
    name = request.GET.get("environment", "")
    if name and declared.get(name) is None:
        raise Http404
    environment = asked(request)
    verdict = can(request.user, Verb.VIEW, environment)
    if not verdict:
        raise PermissionDenied(verdict.sentence)
    return environment
