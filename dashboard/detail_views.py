"""Below the charts of a service: its details, and asking a worker for logs and connections."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from dashboard import deployments, details, enquiries
from dashboard.metrics_views import seen
from dashboard.models import Enquiry, Reading
from dashboard.service_views import of_kind
from novaops import environment as declared
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.runbook import offers

MINUTES = {5: "5 minutes", 15: "15 minutes", 60: "1 hour", 360: "6 hours", 1440: "24 hours"}


class LogsForm(forms.Form):
    """Which lines of a log group."""

    text = forms.CharField(required=False, max_length=100, label="Text", help_text="As it stands in the line.")
    minutes = forms.TypedChoiceField(choices=list(MINUTES.items()), coerce=int, initial=15, label="Of the last")
    only_errors = forms.BooleanField(required=False, initial=True, label="Errors only")


class ConnectionsForm(forms.Form):
    """Nothing to choose."""


FORMS: dict[str, type[forms.Form]] = {enquiries.LOGS: LogsForm, enquiries.CONNECTIONS: ConnectionsForm}


@require_GET
@requires(Verb.VIEW)
def detail(request: HttpRequest, kind: str) -> HttpResponse:
    """Deployments, settings, the biggest keys, and the latest logs and connections that somebody asked for."""
    watched, environment = of_kind(kind), seen(request)
    reading = Reading.objects.filter(environment=environment.name, service=kind).first()
    latest = enquiries.latest(environment, kind)
    context: dict[str, Any] = {
        "service": watched,
        "environment": environment,
        "deployments": deployments.recent(environment.name, kind),
        "settings": details.settings(watched, reading),
        "keys": details.biggest_keys(environment) if kind == "cache" else None,
        "keys_offer": offers.offer(request.user, details.BIGGEST_KEYS, environment) if kind == "cache" else None,
        "subjects": [(name, FORMS[name](), latest.get(name)) for name in enquiries.subjects(environment, kind)],
        "log_group": enquiries.log_group(environment, kind),
        "may_ask": can(request.user, Verb.RUN_SAFE, environment),
    }
    template = "dashboard/_detail.html" if request.headers.get("HX-Request") else "dashboard/detail.html"
    return render(request, template, context)


@require_POST
@requires(Verb.RUN_SAFE)
def ask(request: HttpRequest, kind: str, subject: str) -> HttpResponse:
    """Ask a worker to look, and show the page that waits for the answer."""
    of_kind(kind)
    environment = seen(request)
    verdict = can(request.user, Verb.RUN_SAFE, environment)
    if not verdict:
        raise PermissionDenied(verdict.sentence)
    if subject not in enquiries.subjects(environment, kind):
        raise Http404
    form = FORMS[subject](request.POST)
    if not form.is_valid():
        return render(request, "dashboard/ask.html", {"form": form, "kind": kind, "subject": subject}, status=422)
    return redirect(enquiries.ask(environment, kind, subject, form.cleaned_data, by=user_of(request)))


@require_GET
@requires(Verb.VIEW)
def enquiry(request: HttpRequest, kind: str, pk: UUID) -> HttpResponse:
    """What was asked and what was told; polled until it is."""
    found = get_object_or_404(Enquiry, pk=pk, service=kind)
    environment = declared.get(found.environment)
    if environment is None or not can(request.user, Verb.VIEW, environment):
        raise Http404
    template = "dashboard/_enquiry.html" if request.headers.get("HX-Request") else "dashboard/enquiry.html"
    return render(request, template, {"enquiry": found, "service": of_kind(kind)})
