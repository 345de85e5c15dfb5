"""The page that makes the simulated Nova ill: it does over HTTP what `manage.py sandbox` does."""

from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.audit import chain
from novaops.sandbox import steering
from novaops.sandbox.steering import State, SteeringError


@require_GET
@requires(Verb.VIEW)
def scenarios(request: HttpRequest) -> HttpResponse:
    """What plays now, and what else could."""
    state, failure = {}, ""
    try:
        state = steering.state(settings.SANDBOX_URL)
    except SteeringError as error:
        failure = str(error)
    return render(
        request,
        "sandbox/scenarios.html",
        {
            "state": state,
            "failure": failure,
            "started_at": _moment(state.get("started_at")),
            "ended_at": _moment(state.get("ended_at")),
            "verdict": can(request.user, Verb.SANDBOX),
        },
    )


@require_POST
@requires(Verb.SANDBOX)
def play(request: HttpRequest) -> HttpResponse:
    """Start a scenario."""
    name = request.POST.get("name", "")
    return _steer(request, lambda base: steering.play(base, name), f"The scenario {name} has started.", name)


@require_POST
@requires(Verb.SANDBOX)
def start_over(request: HttpRequest) -> HttpResponse:
    """Back to a freshly seeded, calm Nova."""
    return _steer(request, steering.start_over, "The simulated Nova has started over.", "reset")


def _steer(request: HttpRequest, change: Callable[[str], State], done: str, subject: str) -> HttpResponse:
    try:
        change(settings.SANDBOX_URL)
    except SteeringError as failure:
        messages.error(request, str(failure))
        return redirect("sandbox:scenarios")
    messages.success(request, done)
    with transaction.atomic():
        chain.record("sandbox.steered", by=user_of(request), subject=subject)
    return redirect("sandbox:scenarios")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
