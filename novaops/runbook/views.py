"""From a button to a run: the catalogue, the form, the preview, the confirmation, and the run's page."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect, HttpResponseStopPolling

from novaops import environment as environments
from novaops import live
from novaops.access import sudo
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.runbook import approvals, doorbell, judgements, offers, planning, requests, undo
from novaops.runbook.action import Action, Risk
from novaops.runbook.forms import ConfirmForm, PlaceForm, confirm_form, params_form
from novaops.runbook.models import Approval, Plan, Run
from novaops.runbook.registry import actions

RUNS_A_PAGE = 25


@require_GET
@requires(Verb.VIEW)
def catalogue(request: HttpRequest) -> HttpResponse:
    """Every action, by service, as this user may use it in the environment."""
    environment = _environment(request)
    groups = {kind: offers.of_service(user_of(request), kind, environment) for kind in environments.SERVICE_KINDS}
    return render(request, "runbook/catalogue.html", {"environment": environment, "groups": groups})


@require_GET
@requires(Verb.VIEW)
def new(request: HttpRequest, key: str) -> HttpResponse:
    """The form of an action; what the link says is filled in."""
    action = _action(key)
    environment = _environment(request)
    target = request.GET.get("target") or next(iter(action.targets(environment)), "")
    if not target:
        raise Http404(f"{action.title}: choose on which one where they are listed.")
    place = {
        "environment": environment.name,
        "target": target,
        "incident": request.GET.get("incident", ""),
    }
    return _form_page(request, action, PlaceForm(initial=place), params_form(action, None, request.GET.dict()))


@require_POST
@requires(Verb.VIEW)
def plan(request: HttpRequest, key: str) -> HttpResponse:
    """Make a plan and let a worker look at the target; shows the form again where something is wrong."""
    action, place = _action(key), PlaceForm(request.POST)
    params = params_form(action, request.POST)
    if not (place.is_valid() & params.is_valid()):
        return _form_page(request, action, place, params)
    where = place.cleaned_data
    try:
        made = planning.draft(
            action,
            where["environment"],
            where["target"],
            params.cleaned_data,
            by=user_of(request),
            incident=where["incident"],
        )
    except planning.Invalid as failure:
        place.add_error(failure.field if failure.field in place.fields else None, str(failure))
        return _form_page(request, action, place, params)
    doorbell.ring_for_plan(str(made.pk))
    return HttpResponseRedirect(made.get_absolute_url())


@require_GET
@requires(Verb.VIEW)
def preview(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What would be done, exactly; polled while a worker looks at the target."""
    found = get_object_or_404(Plan, pk=pk)
    if _needs_step_up(request, found):
        return _step_up(request, found)
    polled = request.htmx and "rev" in request.GET  # type: ignore[attr-defined]
    if polled and found.state == Plan.State.RESOLVING:
        return HttpResponse(status=204)
    return _preview_page(request, found, confirm_form(found))


@require_POST
@requires(Verb.VIEW)
def confirm(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Start the run of a plan; asked twice it answers with the first run."""
    found = get_object_or_404(Plan, pk=pk)
    if found.action not in actions:
        raise Http404(f"There is no action {found.action!r} any more.")
    form = confirm_form(found, request.POST)
    stale = _needs_step_up(request, found)
    if stale:
        form.add_error(None, "The proof that it is you is older than five minutes. Nothing happened: prove it again.")
    if not form.is_valid():
        return _preview_page(request, found, form, 422, stale_proof=stale)
    try:
        run = _requested(request, found, form)
    except requests.NotStarted as refusal:
        form.add_error(None, str(refusal))
        return _preview_page(request, found, form, 409, in_the_way=refusal.run)
    return redirect(run)


def _requested(request: HttpRequest, found: Plan, form: ConfirmForm) -> Run:
    return requests.request(
        found,
        by=user_of(request),
        reason=form.cleaned_data["reason"],
        idempotency_key=f"plan:{found.pk}",
        break_glass=form.cleaned_data.get("break_glass", False),
    )


def _needs_step_up(request: HttpRequest, found: Plan) -> bool:
    """Whether the plan destroys and the user has not proven lately who they are; looking alone needs no proof."""
    action = _action(found.action)
    permitted = can(user_of(request), action.risk.verb, environments.get(found.environment))
    return action.risk is Risk.DESTRUCTIVE and bool(permitted) and not sudo.active(request)


@require_GET
@requires(Verb.VIEW)
def runs(request: HttpRequest) -> HttpResponse:
    """Runs, newest first; the filters are in the URL."""
    wanted = {name: request.GET[name] for name in ("action", "target", "status", "incident") if request.GET.get(name)}
    if not wanted.get("incident", "1").isdecimal():
        raise Http404("An incident is a number.")
    found = Run.objects.filter(environment=_environment(request).name, **wanted).select_related("requested_by")
    page = Paginator(found, RUNS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "runbook/runs.html", {"page_obj": page, "filters": wanted, "actions": actions})


@require_GET
@requires(Verb.VIEW)
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """A run with its steps; polled until it is over."""
    topic = live.revision(f"run:{pk}")
    unchanged = live.unchanged(request, topic) if request.htmx else None  # type: ignore[attr-defined]
    if unchanged:
        return unchanged
    found = get_object_or_404(Run.objects.select_related("plan", "requested_by", "judged_by"), pk=pk)
    context = _run_context(request, found) | {"rev": topic}
    answer = _page(request, "run", context)
    over = request.htmx and found.finished  # type: ignore[attr-defined]
    return HttpResponseStopPolling(answer.content) if over else answer


def _change(change: Callable[[HttpRequest, Run], None]) -> Callable[[HttpRequest, int], HttpResponse]:
    """A view that changes a run and shows it; where the change is refused, the run's page says why, as 409."""

    @wraps(change)
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        found = get_object_or_404(Run, pk=pk)
        try:
            change(request, found)
        except requests.NotStarted as refusal:
            return _run_page(request, found, str(refusal))
        return redirect(found)

    return view


@require_POST
@requires(Verb.RUN_SAFE)
@_change
def cancel(request: HttpRequest, found: Run) -> None:
    """Ask that no further step of the run is begun."""
    requests.cancel(found, by=user_of(request))


@require_POST
@requires(Verb.COMMAND)
@_change
def check(request: HttpRequest, found: Run) -> None:
    """Let a worker look once more for an effect whose outcome is unknown."""
    requests.check(found, by=user_of(request))


@require_POST
@requires(Verb.COMMAND)
@_change
def decide(request: HttpRequest, found: Run) -> None:
    """A commander marks an unknown outcome as done or failed."""
    happened = request.POST.get("happened") == "yes"
    requests.decide(found, happened=happened, by=user_of(request), reason=request.POST.get("reason", ""))


@require_POST
@requires(Verb.RUN_SAFE)
@_change
def judge(request: HttpRequest, found: Run) -> None:
    """Somebody says whether a succeeded run did what it was for."""
    judgements.judge(found, worked=request.POST.get("worked") == "yes", by=user_of(request))


def _page(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """The page of that name, or only its fragment for a poll and for the drawer."""
    template = f"runbook/_{name}.html" if request.htmx else f"runbook/{name}.html"  # type: ignore[attr-defined]
    return render(request, template, context, status=status)


def _step_up(request: HttpRequest, found: Plan) -> HttpResponse:
    """To the proof of who the user is and back to the plan's own page; a drawer gives way to it."""
    there = sudo.step_up(found.get_absolute_url())
    return HttpResponseClientRedirect(there.url) if request.htmx else there  # type: ignore[attr-defined]


def _run_page(request: HttpRequest, found: Run, refusal: str) -> HttpResponse:
    context = _run_context(request, found) | {"refusal": refusal, "reason": request.POST.get("reason", "")}
    return _page(request, "run", context, status=409)


def _run_context(request: HttpRequest, found: Run) -> dict[str, Any]:
    action, environment = actions.get(found.action), environments.get(found.environment)
    return {
        "run": found,
        "steps": list(found.steps.prefetch_related("calls")),
        "can_cancel": can(user_of(request), action.risk.verb if action else Verb.COMMAND, environment),
        "approval": Approval.objects.filter(run=found).select_related("decided_by").first(),
        "can_decide": can(user_of(request), Verb.COMMAND, environment),
        "entry": undo.of_run(found),
    }


def _preview_page(request: HttpRequest, found: Plan, form: ConfirmForm, status: int = 200, **more: Any) -> HttpResponse:
    return _page(request, "preview", _preview_context(request, found, form) | more, status)


def _preview_context(request: HttpRequest, found: Plan, form: ConfirmForm) -> dict[str, Any]:
    action, environment = _action(found.action), environments.get(found.environment)
    return {
        "plan": found,
        "action": action,
        "form": form,
        "can_confirm": can(user_of(request), action.risk.verb, environment),
        "needs_approval": environment is not None and approvals.needed(action, environment),
        "track_record": planning.track_record(action, environment) if environment else None,
        "earlier": Run.objects.filter(plan=found).first(),
    }


def _form_page(request: HttpRequest, action: Action, place: PlaceForm, params: Any) -> HttpResponse:
    context = {"action": action, "place": place, "params": params, "environments": environments.environments()}
    return _page(request, "new", context)


def _action(key: str) -> Action:
    if key not in actions:
        raise Http404(f"There is no action {key!r}.")
    return actions[key]()


def _environment(request: HttpRequest) -> environments.Environment:
    asked = request.GET.get("environment")
    found = environments.get(asked) if asked else environments.default()
    if found is None:
        raise Http404(f"There is no environment {asked!r}.")
    return found
