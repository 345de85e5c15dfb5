"""The rules with their thresholds: what each says, how often another would have fired, and changing it."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from dashboard import thresholds
from dashboard.context_processors import asked
from dashboard.models import Threshold
from dashboard.services.base import Rule, Service, services
from novaops import environment as environments
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.environment import Environment
from novaops.runbook.registry import actions
from novaops.runbook.requests import REASON_LENGTH

LONGEST_S = 86400
PERCENT = "%"
GIB = 2**30


class TryForm(forms.Form):
    """Another threshold and duration of a rule."""

    value = forms.FloatField(label="Threshold")
    for_s = forms.IntegerField(label="Seconds before it fires", min_value=1, max_value=LONGEST_S)

    def __init__(self, data: QueryDict | dict[str, Any] | None = None, *, rule: Rule, unit: str) -> None:
        self.unit, self.scale = ("GiB", GIB) if unit == "B" else (unit, 1)
        super().__init__(data, initial={"value": rule.threshold / self.scale, "for_s": rule.for_s})
        side = "above" if rule.above is not None else "below"
        self.fields["value"].help_text = f"Fires {side} it." + (f" In {self.unit}." if self.unit else "")
        self.fields["for_s"].help_text = f"Of every sample on the wrong side; 1 to {LONGEST_S}."

    def clean_value(self) -> float:
        """Refuses what a share of something never is."""
        value = float(self.cleaned_data["value"])
        if self.unit == PERCENT and not 0 <= value <= 100:
            raise forms.ValidationError("A percentage is between 0 and 100.")
        return value * self.scale


class ChangeForm(TryForm):
    """The change, with its reason."""

    reason = forms.CharField(max_length=REASON_LENGTH, label="Why?")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A rule as a page shows it. `changed` is what an administrator made of it; `offers` is what helps, by title."""

    service: Service
    rule: Rule
    declared: Rule
    unit: str
    changed: Threshold | None
    offers: list[str]
    url: str

    @property
    def origin(self) -> str:
        """Whose threshold it is."""
        if self.changed:
            return f"changed by {self.changed.changed_by}"
        return "the runbook's" if self.service.every_rule()[self.rule.key] == self.declared else "nova.toml's"


@require_GET
@requires(Verb.VIEW)
def thresholds_page(request: HttpRequest) -> HttpResponse:
    """Every rule, what it watches and what its alert offers."""
    environment = asked(request)
    changes = thresholds.changed(environment)
    rows = {
        service.title: [_row(environment, service, rule, changes.get(rule.key)) for rule in found]
        for service in services.values()
        if (found := service.rules_in(environment))
    }
    return render(request, "dashboard/thresholds.html", {"environment": environment, "rows": rows})


@require_GET
@requires(Verb.VIEW)
def threshold(request: HttpRequest, key: str) -> HttpResponse:
    """One rule: its history, and how often it would have fired as it is and as it is tried."""
    environment, row = _asked_row(request, key)
    tried = TryForm(request.GET, rule=row.rule, unit=row.unit) if "value" in request.GET else None
    return _page(request, environment, row, tried)


@require_POST
@requires(Verb.SETTINGS)
def change_threshold(request: HttpRequest, key: str) -> HttpResponse:
    """Give the rule another threshold and duration."""
    environment, row = _asked_row(request, key)
    form = ChangeForm(request.POST, rule=row.rule, unit=row.unit)
    if not form.is_valid():
        return _page(request, environment, row, form)
    said = form.cleaned_data
    try:
        thresholds.change(environment, row.declared, by=user_of(request), **said)
    except thresholds.Refused as refusal:
        return _page(request, environment, row, form, str(refusal))
    messages.success(request, f"{row.rule.title}: {said['value']:g} for {said['for_s']} s, from the next round on.")
    return HttpResponseRedirect(row.url)


@require_POST
@requires(Verb.SETTINGS)
def reset_threshold(request: HttpRequest, key: str) -> HttpResponse:
    """Give the rule back what is declared."""
    environment, row = _asked_row(request, key)
    try:
        thresholds.reset(environment, row.declared, by=user_of(request), reason=request.POST.get("reason", ""))
    except thresholds.Refused as refusal:
        return _page(request, environment, row, None, str(refusal))
    messages.success(request, f"{row.rule.title} is as declared again, from the next round on.")
    return HttpResponseRedirect(row.url)


def _asked_row(request: HttpRequest, key: str) -> tuple[Environment, Row]:
    """The environment that the form or the address names, and its rule of that key."""
    environment = environments.get(request.POST.get("environment", "")) or asked(request)
    found = thresholds.find(key, environment)
    if found is None:
        raise Http404(f"{environment.title} has no rule {key!r}.")
    service, rule = found
    return environment, _row(environment, service, rule, thresholds.changed(environment).get(key))


def _row(environment: Environment, service: Service, rule: Rule, change: Threshold | None) -> Row:
    units = {series.name: series.unit for series in service.series_in(environment)}
    url = reverse("dashboard:threshold", args=[rule.key])
    found = [actions[key] for key in rule.offers]
    return Row(
        service=service,
        rule=rule.at(change.value, change.for_s) if change else rule,
        declared=rule,
        unit=units[rule.series],
        changed=change,
        offers=[action.title for action in found if action().applies(environment)],
        url=f"{url}?{urlencode({'environment': environment.name})}",
    )


def _page(
    request: HttpRequest, environment: Environment, row: Row, form: TryForm | None, refusal: str = ""
) -> HttpResponse:
    now = timezone.now()
    tried = row.rule.at(form.cleaned_data["value"], form.cleaned_data["for_s"]) if form and _complete(form) else None
    context = {
        "environment": environment,
        "row": row,
        "form": form or TryForm(rule=row.rule, unit=row.unit),
        "current": thresholds.trial(environment, row.service, row.rule, now),
        "tried": tried,
        "trial": thresholds.trial(environment, row.service, tried, now) if tried else None,
        "may": can(user_of(request), Verb.SETTINGS, environment),
        "history": thresholds.history(environment, row.rule.key),
        "refusal": refusal,
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "dashboard/threshold.html", context, status=409 if refusal else 200)


def _complete(form: TryForm) -> bool:
    """Whether the numbers can be tried, whatever else is wrong."""
    form.is_valid()
    return {"value", "for_s"} <= form.cleaned_data.keys()
