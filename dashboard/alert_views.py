"""The pages of alerts: all of them with their witnesses, one of them, silences, and maintenance."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from dashboard import overview, quiet, witnesses
from dashboard.context_processors import asked
from dashboard.forms import AlertFilters, MaintenanceForm, SilenceForm
from dashboard.models import Alert, AlertState, Maintenance, Silence
from novaops import environment as declared
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.environment import Environment
from novaops.runbook import offers

ALERTS_A_PAGE = 50


@require_GET
@requires(Verb.VIEW)
def alerts(request: HttpRequest) -> HttpResponse:
    """What fires and what fired, the newest first, with who witnessed it; filters are in the address."""
    environment, now = asked(request), timezone.now()
    form = AlertFilters(request.GET)
    silences = list(quiet.silences(environment.name, now))
    page = Paginator(_found(environment, form), ALERTS_A_PAGE).get_page(request.GET.get("page"))
    rows = [(alert, quiet.covering(silences, alert)) for alert in page]
    context = {
        "environment": environment,
        "form": form,
        "page_obj": page,
        "rows": rows,
        "silences": silences,
        "windows": quiet.windows(environment.name, now),
        "now": now,
        "may_silence": can(request.user, Verb.SILENCE, environment),
    }
    return render(request, "dashboard/alerts.html", context)


def _found(environment: Environment, form: AlertFilters) -> QuerySet[Alert]:
    found = Alert.objects.filter(environment=environment.name).prefetch_related("witnesses")
    if not form.is_valid():
        return found.none()
    wanted = {name: value for name, value in form.cleaned_data.items() if value and name != "environment"}
    if source := wanted.pop("witness", ""):
        # As a subquery: a join would show an alert once for each of its witnesses.
        found = found.filter(pk__in=Alert.objects.filter(witnesses__source=source).values("pk"))
    return found.filter(**wanted)


@require_GET
@requires(Verb.VIEW)
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: who says so, what can be done, how to let nobody be told of it."""
    return _alert_page(request, _alert(pk))


@require_POST
@requires(Verb.SILENCE)
def silence(request: HttpRequest, pk: int) -> HttpResponse:
    """Let nobody be told of the alert's rule for a while."""
    one, form = _alert(pk), SilenceForm(request.POST)
    if not form.is_valid():
        return _alert_page(request, one, form)
    try:
        quiet.silence(_environment(one.environment), one, by=user_of(request), **form.asked())
    except quiet.Refused as refusal:
        form.add_error(None, str(refusal))
        return _alert_page(request, one, form)
    return redirect(one)


@require_POST
@requires(Verb.SILENCE)
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that an alert is over whose witnesses outside do not."""
    one = _alert(pk)
    try:
        quiet.close(one, _environment(one.environment), reason=request.POST.get("reason", ""), by=user_of(request))
    except quiet.Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(one)


@require_POST
@requires(Verb.SILENCE)
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """End a silence before its time."""
    return _ended(request, get_object_or_404(Silence, pk=pk), "dashboard:alerts")


@require_GET
@requires(Verb.VIEW)
def maintenance(request: HttpRequest) -> HttpResponse:
    """Which services are worked on or will be."""
    return _maintenance_page(request, MaintenanceForm(initial=MaintenanceForm.soon(timezone.now())))


@require_POST
@requires(Verb.COMMAND)
def plan(request: HttpRequest) -> HttpResponse:
    """Say that a service will be worked on."""
    form = MaintenanceForm(request.POST)
    if not form.is_valid():
        return _maintenance_page(request, form)
    try:
        quiet.plan_maintenance(asked(request), by=user_of(request), **form.cleaned_data)
    except quiet.Refused as refusal:
        form.add_error(None, str(refusal))
        return _maintenance_page(request, form)
    return redirect(f"{request.path}?environment={asked(request).name}")


@require_POST
@requires(Verb.COMMAND)
def finish(request: HttpRequest, pk: int) -> HttpResponse:
    """End a window before its time."""
    return _ended(request, get_object_or_404(Maintenance, pk=pk), "dashboard:maintenance")


def _ended(request: HttpRequest, one: Silence | Maintenance, page: str) -> HttpResponse:
    try:
        quiet.end(one, _environment(one.environment), by=user_of(request))
    except quiet.Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(f"{reverse(page)}?environment={one.environment}")


def _alert(pk: int) -> Alert:
    return get_object_or_404(Alert.objects.prefetch_related("witnesses"), pk=pk)


def _environment(name: str) -> Environment:
    found = declared.get(name)
    if found is None:
        raise Http404(f"{name} is not declared any more.")
    return found


def _alert_page(request: HttpRequest, one: Alert, form: SilenceForm | None = None) -> HttpResponse:
    environment = _environment(one.environment)
    user, now = user_of(request), timezone.now()
    context: Mapping[str, Any] = {
        "alert": one,
        "environment": environment,
        "firing": one.state == AlertState.FIRING,
        "muted": quiet.why_muted(one, now),
        "closable": one.state == AlertState.FIRING and witnesses.only_outside(one),
        "offers": overview.offers_for([one], user, environment) or offers.of_service(user, one.service, environment),
        "before": _before(one),
        "form": form or SilenceForm(),
        "may_silence": can(user, Verb.SILENCE, environment),
        "now": now,
    }
    return render(request, "dashboard/alert.html", context, status=409 if form else 200)


def _before(one: Alert) -> list[Alert]:
    """The last firings of the same rule."""
    same = Alert.objects.filter(environment=one.environment, rule=one.rule).exclude(pk=one.pk)
    return list(same.annotate(told_by=Count("witnesses"))[:10])


def _maintenance_page(request: HttpRequest, form: MaintenanceForm) -> HttpResponse:
    environment = asked(request)
    context = {
        "environment": environment,
        "form": form,
        "windows": quiet.windows(environment.name, timezone.now()),
        "now": timezone.now(),
        "may_plan": can(request.user, Verb.COMMAND, environment),
    }
    return render(request, "dashboard/maintenance.html", context, status=409 if form.is_bound else 200)
