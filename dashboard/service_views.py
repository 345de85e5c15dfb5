"""The services: all of them, the page of one, and one of its charts as a table."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard import charts, history, samples
from dashboard import overview as overviews
from dashboard.metrics_views import seen
from dashboard.models import Alert, AlertState, Series
from dashboard.overview import Overview
from dashboard.services.base import Service, services
from dashboard.views import build
from novaops import live
from novaops.access.decorators import requires
from novaops.access.policy import Verb
from novaops.environment import Environment
from novaops.runbook import offers
from novaops.runbook.offers import Offer

HISTORY = timedelta(hours=1)
ALERTS_BACK = timedelta(days=1)
MOST_ALERTS = 20
DEFAULT_RANGE = "6h"


@dataclass(frozen=True, kw_only=True)
class Line:
    """The last hour of one series."""

    title: str
    unit: str
    points: list[float | None]

    @property
    def known(self) -> list[float]:
        return [point for point in self.points if point is not None]

    @property
    def lowest(self) -> float | None:
        return min(self.known, default=None)

    @property
    def highest(self) -> float | None:
        return max(self.known, default=None)

    @property
    def latest(self) -> float | None:
        return self.known[-1] if self.known else None


@require_GET
@requires(Verb.VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """Every service at a glance."""
    environment = seen(request)
    if request.headers.get("HX-Request") and (unchanged := live.unchanged(request, overviews.revision(environment))):
        return unchanged
    template = "dashboard/_services.html" if request.headers.get("HX-Request") else "dashboard/services.html"
    return render(request, template, {"overview": build(request, environment)})


@require_GET
@requires(Verb.VIEW)
def service(request: HttpRequest, kind: str) -> HttpResponse:
    """One service: why it is as it is, its values, its past, what can be done."""
    watched, environment = of_kind(kind), seen(request)
    part = request.headers.get("HX-Request")
    if part and (unchanged := live.unchanged(request, overviews.revision(environment))):
        return unchanged
    built, now = build(request, environment), timezone.now()
    context = {
        "overview": built,
        "tile": next(tile for tile in built.tiles if tile.kind == kind),
        "alerts": _alerts(environment, kind, now),
        "offers": _offers(request, built, kind),
    }
    if not part:
        context |= _past(watched, environment, chosen(request), now)
    return render(request, "dashboard/_service.html" if part else "dashboard/service.html", context)


@require_GET
@requires(Verb.VIEW)
def table(request: HttpRequest, kind: str) -> HttpResponse:
    """One chart as a table, for those who do not see it and for browsers without JavaScript."""
    watched, environment = of_kind(kind), seen(request)
    chart = next((one for one in watched.charts_in(environment) if one.key == request.GET.get("chart")), None)
    if chart is None:
        raise Http404
    name = chosen(request)
    found = charts.drawn(watched, environment, history.RANGES[name].stretch(timezone.now()), [chart])
    lines = found.of(chart)
    context = {
        **_frame(watched, name),
        "environment": environment,
        "chart": chart,
        "found": found,
        "lines": lines,
        "rows": charts.rows(found, lines),
    }
    return render(request, "dashboard/table.html", context)


def of_kind(kind: str) -> Service:
    """The service of that kind. Raises Http404 where there is none."""
    if kind not in services or not services[kind].tile:
        raise Http404
    return services[kind]


def chosen(request: HttpRequest) -> str:
    """The range that the address names, DEFAULT_RANGE where it names none that there is."""
    name = request.GET.get("range", DEFAULT_RANGE)
    return name if name in history.RANGES else DEFAULT_RANGE


def _frame(watched: Service, name: str) -> dict[str, Any]:
    return {"service": watched, "range": name, "ranges": history.RANGES}


def _past(watched: Service, environment: Environment, name: str, now: datetime) -> dict[str, Any]:
    """The charts of the range in short, as they stand without JavaScript, and the last hour of every other series."""
    rows = list(Series.objects.filter(environment=environment.name, service=watched.kind))
    return {
        **_frame(watched, name),
        "charts": charts.in_short(watched, environment, history.RANGES[name].stretch(now), rows),
        "series": _others(watched, environment, rows, now),
    }


def _alerts(environment: Environment, kind: str, now: datetime) -> list[Alert]:
    """Those that fire, then the latest of the last day, with their witnesses."""
    rows = Alert.objects.filter(environment=environment.name, service=kind, fired_at__gte=now - ALERTS_BACK)
    firing = Alert.objects.filter(environment=environment.name, service=kind, state=AlertState.FIRING)
    found = sorted(rows.union(firing), key=lambda one: (one.state != AlertState.FIRING, -one.fired_at.timestamp()))
    prefetch_related_objects(found[:MOST_ALERTS], "witnesses")
    return found[:MOST_ALERTS]


def _others(watched: Service, environment: Environment, rows: list[Series], now: datetime) -> list[Line]:
    """The last hour of every declared series that is in no chart and has samples."""
    drawn = {name for chart in watched.charts_in(environment) for name in chart.series}
    names = [series.name for series in watched.series_in(environment) if series.name not in drawn]
    ordered = sorted((row for row in rows if row.name in names), key=lambda row: (names.index(row.name), row.resource))
    lines = samples.sparklines([row.pk for row in ordered], now, HISTORY)
    found = (Line(title=charts.title(row), unit=row.unit, points=lines[row.pk]) for row in ordered)
    return [line for line in found if line.known]


def _offers(request: HttpRequest, built: Overview, kind: str) -> list[Offer]:
    """What the firing rules suggest first, then what rules would suggest, then every other action on the service."""
    firing = [alert for alert in built.alerts if alert.service == kind]
    first = overviews.offers_for(firing, request.user, built.environment)
    keys = {offer.action_key for offer in first}
    helpful = [key for rule in services[kind].rules_in(built.environment) for key in rule.offers]
    every = offers.of_service(request.user, kind, built.environment)
    rest = [offer for offer in every if offer.action_key not in keys]
    rest.sort(key=lambda offer: helpful.index(offer.action_key) if offer.action_key in helpful else len(helpful))
    return [*first, *rest]
