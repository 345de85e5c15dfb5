"""The stop switch and the undo ledger."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from novaops import environment as environments
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.runbook import doorbell, freezes, planning, undo
from novaops.runbook.models import Undo
from novaops.runbook.registry import actions


@require_GET
@requires(Verb.VIEW)
def controls(request: HttpRequest) -> HttpResponse:
    """What is frozen, and what was changed and not put back."""
    return _page(request)


@require_POST
@requires(Verb.COMMAND)
def freeze(request: HttpRequest) -> HttpResponse:
    """Stop every new effect in the environment."""
    environment, reason = _environment(request), request.POST.get("reason", "")
    try:
        freezes.freeze(environment, by=user_of(request), reason=reason)
    except freezes.Refused as refusal:
        return _page(request, str(refusal), reason)
    return redirect("runbook:controls")


@require_POST
@requires(Verb.COMMAND)
def lift(request: HttpRequest) -> HttpResponse:
    """Let effects be sent again."""
    try:
        freezes.lift(_environment(request), by=user_of(request))
    except freezes.Refused as refusal:
        return _page(request, str(refusal))
    return redirect("runbook:controls")


@require_POST
@requires(Verb.VIEW)
def put_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the plan that puts a change back; it is confirmed like any other."""
    entry = get_object_or_404(Undo, pk=pk, state=Undo.State.OPEN)
    environment = environments.get(entry.environment)
    if environment is None or entry.action not in actions:
        raise Http404("What it acted upon is not declared any more.")
    user = user_of(request)
    plan = planning.draft(
        actions[entry.action](),
        environment,
        entry.target,
        entry.params,
        by=user,
        incident=entry.run.incident,
        undoes=entry,
    )
    doorbell.ring_for_plan(str(plan.pk))
    return HttpResponseRedirect(plan.get_absolute_url())


@require_POST
@requires(Verb.VIEW)
def keep(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that a change is meant to stay."""
    try:
        undo.dismiss(get_object_or_404(Undo, pk=pk), by=user_of(request))
    except undo.Refused as refusal:
        return _page(request, str(refusal))
    messages.success(request, "It stays as it is.")
    return redirect("runbook:controls")


def _page(request: HttpRequest, refusal: str = "", reason: str = "") -> HttpResponse:
    environment = _environment(request)
    context = {
        "environment": environment,
        "freeze": freezes.standing(environment.name),
        "entries": undo.standing(environment.name),
        "can_freeze": can(user_of(request), Verb.COMMAND, environment),
        "refusal": refusal,
        "reason": reason,
    }
    return render(request, "runbook/controls.html", context, status=409 if refusal else 200)


def _environment(request: HttpRequest) -> environments.Environment:
    asked = request.POST.get("environment") or request.GET.get("environment")
    found = environments.get(asked) if asked else environments.default()
    if found is None:
        raise Http404(f"There is no environment {asked!r}.")
    return found
