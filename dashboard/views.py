"""The overview, its fragment that open pages poll, and the page of a service."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard import overview as overviews
from dashboard import samples
from dashboard.context_processors import ON_REQUEST, asked
from dashboard.models import Alert, AlertState, Series
from dashboard.overview import Overview
from dashboard.services.base import Service, services
from novaops import live
from novaops.access.decorators import requires
from novaops.access.policy import Verb, can
from novaops.environment import Environment
from novaops.runbook import offers
from novaops.runbook.action import Risk
from novaops.runbook.offers import Offer

HISTORY = timedelta(hours=1)
ALERTS_BACK = timedelta(days=1)
MOST_ALERTS = 20


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
def overview(request: HttpRequest) -> HttpResponse:
    """Is Nova healthy, what is burning, who is on it, what can I do."""
    return render(request, "dashboard/overview.html", {"overview": _build(request, asked(request))})


@require_GET
@requires(Verb.VIEW)
def tiles(request: HttpRequest) -> HttpResponse:
    """The overview's content for an open page: 204 while nothing moved on, rendered once for all of the same rights."""
    environment = asked(request)
    current = overviews.revision(environment)
    unchanged = live.unchanged(request, current)
    if unchanged:
        return unchanged

    def rendered() -> str:
        return render_to_string("dashboard/_overview.html", {"overview": _build(request, environment)}, request)

    return HttpResponse(
        live.fragment(f"overview:{environment.name}:{_rights(request, environment)}", current, rendered)
    )


def _build(request: HttpRequest, environment: Environment) -> Overview:
    built = overviews.build(environment, request.user)
    setattr(request, ON_REQUEST, built)
    return built


def _rights(request: HttpRequest, environment: Environment) -> str:
    """What of the user's rights changes how the fragment looks: which offers are open."""
    return "".join(risk.value[:3] for risk in Risk if can(request.user, risk.verb, environment))


@require_GET
@requires(Verb.VIEW)
def service(request: HttpRequest, kind: str) -> HttpResponse:
    """One service: why it is as it is, its values, its last hour, what can be done."""
    watched = services.get(kind)
    if watched is None:
        raise Http404
    environment = asked(request)
    if request.headers.get("HX-Request") and (unchanged := live.unchanged(request, overviews.revision(environment))):
        return unchanged
    built = _build(request, environment)
    now = timezone.now()
    context = {
        "overview": built,
        "tile": next(tile for tile in built.tiles if tile.kind == kind),
        "alerts": _alerts(environment, kind, now),
        "series": _history(watched, environment, now),
        "offers": _offers(request, built, kind),
    }
    template = "dashboard/_service.html" if request.headers.get("HX-Request") else "dashboard/service.html"
    return render(request, template, context)


def _alerts(environment: Environment, kind: str, now: datetime) -> list[Alert]:
    """Those that fire, then the latest of the last day."""
    rows = Alert.objects.filter(environment=environment.name, service=kind, fired_at__gte=now - ALERTS_BACK)
    firing = Alert.objects.filter(environment=environment.name, service=kind, state=AlertState.FIRING)
    return sorted(rows.union(firing), key=lambda one: (one.state != AlertState.FIRING, -one.fired_at.timestamp()))[
        :MOST_ALERTS
    ]


def _history(watched: Service, environment: Environment, now: datetime) -> list[Line]:
    """The last hour of every series of the service that has samples."""
    names = [series.name for series in watched.series_in(environment)]
    rows = Series.objects.filter(environment=environment.name, service=watched.kind, name__in=names)
    ordered = sorted(rows, key=lambda row: (names.index(row.name), row.resource))
    lines = samples.sparklines([row.pk for row in ordered], now, HISTORY)
    found = (Line(title=_title(row), unit=row.unit, points=lines[row.pk]) for row in ordered)
    return [line for line in found if line.known]


def _title(row: Series) -> str:
    name = row.name.replace("_", " ")
    return f"{name} ({row.resource})" if row.resource else name


def _offers(request: HttpRequest, built: Overview, kind: str) -> list[Offer]:
    """What the firing rules suggest first, then every action on the service."""
    firing = [alert for alert in built.alerts if alert.service == kind]
    first = overviews.offers_for(firing, request.user, built.environment)
    keys = {offer.action_key for offer in first}
    every = offers.of_service(request.user, kind, built.environment)
    return [*first, *(offer for offer in every if offer.action_key not in keys)]
