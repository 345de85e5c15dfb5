"""What the tab of every page shows, and what a browser may notify of: the verdict, what waits for me, what ended."""

import json
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard import overview as overviews
from dashboard.context_processors import asked
from novaops import live
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.environment import Environment
from novaops.runbook.models import Run
from novaops.runbook.states import RunStatus

# A run that ended longer ago is no news.
LATELY = timedelta(minutes=2)
ENDED = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.UNKNOWN, RunStatus.EXPIRED)


@require_GET
@requires(Verb.VIEW)
def notices(request: HttpRequest) -> HttpResponse:
    """204 while nothing moved on."""
    environment = asked(request)
    current = overviews.revision(environment)
    live.remember(request, overviews.topics(environment), environment.collect_every_s)
    unchanged = live.unchanged(request, current)
    if unchanged:
        return unchanged
    shared = json.loads(live.fragment(f"notices:{environment.name}", current, lambda: _state(environment)))
    return JsonResponse({"rev": current, **shared, "news": _news(request, environment)})


def _state(environment: Environment) -> str:
    """The same for everybody: the verdict, and how many services are in its state."""
    built = overviews.shared(environment)
    count = sum(tile.state == built.verdict.state for tile in built.tiles)
    return json.dumps({"state": built.verdict.state, "sentence": built.verdict.sentence, "count": count})


def _news(request: HttpRequest, environment: Environment) -> list[dict[str, Any]]:
    """Runs that wait for my consent, and mine that ended lately; `id` is the same each time."""
    user = user_of(request)
    runs = Run.objects.filter(environment=environment.name).only("title", "target", "status", "environment")
    asked_of_me = runs.filter(status=RunStatus.AWAITING_APPROVAL).exclude(requested_by=user)
    waiting = list(asked_of_me[:5]) if can(user, Verb.APPROVE, environment) else []
    ended = runs.filter(requested_by=user, status__in=ENDED, finished_at__gte=timezone.now() - LATELY)[:5]
    return [
        *({"id": f"approval-{one.pk}", "text": f"Needs approval: {one.title} on {one.target}"} for one in waiting),
        *(
            {"id": f"run-{one.pk}", "text": f"{one.title} on {one.target}: {one.get_status_display().lower()}"}
            for one in ended
        ),
    ]
