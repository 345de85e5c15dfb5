"""Charts of what the rules of a service watch, frozen as data: they stay when the samples are rolled up and gone."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Avg, Q
from django.utils import timezone

from dashboard import samples
from dashboard.models import Sample, Series
from dashboard.services.base import services
from incidents.evidence import ErrorRate
from incidents.models import PROOF, Incident, TimelineEntry
from novaops.environment import Environment

SPAN = timedelta(hours=1)
MOST_CHARTS, MOST_EXCERPTS = 8, 20
# The error rate is at its baseline when it is no more than this above what it was in the hour before.
TOLERATED_POINTS = 1.0
# The rate of now is of so many data points at least: one alone says little, and CloudWatch's newest are late.
FEWEST_POINTS = 3


def charts(environment: str, kinds: Iterable[str]) -> list[dict[str, Any]]:
    """The last hour of each series that a rule of these services watches, in SPARK_POINTS averages."""
    wanted = [(kind, rule.series) for kind in kinds if kind in services for rule in services[kind].rules]
    among = Q(pk=None)
    for kind, name in dict.fromkeys(wanted):
        among |= Q(service=kind, name=name)
    rows = list(Series.objects.filter(among, environment=environment).order_by("service", "name", "resource"))
    rows, now = rows[:MOST_CHARTS], timezone.now()
    lines = samples.sparklines([row.pk for row in rows], now, SPAN) if rows else {}
    return [
        {
            "service": row.service,
            "series": f"{row.name} {row.resource}".strip(),
            "unit": row.unit,
            "until": now.isoformat(),
            "span_s": SPAN.total_seconds(),
            "values": lines[row.pk],
        }
        for row in rows
        if any(value is not None for value in lines[row.pk])
    ]


def latest(incident: Incident) -> TimelineEntry | None:
    """The newest entry that charts were frozen with."""
    return incident.timeline.filter(PROOF, data__has_key="charts").order_by("-at", "-id").first()


def excerpts(incident: Incident) -> list[TimelineEntry]:
    """What was attached of the logs."""
    found = incident.timeline.filter(kind=TimelineEntry.Kind.STATE, data__has_key="excerpt")
    return list(found.order_by("at", "id")[:MOST_EXCERPTS])


def error_rate(incident: Incident, environment: Environment) -> ErrorRate | None:
    """The API's error rate now and in the hour before it began; None where either is not known."""
    if "api" not in incident.services or not incident.is_open:
        return None
    began = incident.started_at
    for_s = max(environment.verify_for_s, FEWEST_POINTS * environment.metric_period_s)
    recent = timezone.now() - timedelta(seconds=for_s)
    before = Q(at__gte=began - SPAN, at__lt=began)
    series = Series.objects.filter(environment=incident.environment, service="api", name="error_rate", resource="")
    rows = Sample.objects.filter(before | Q(at__gte=recent), series_id__in=series.values("pk"))
    found = rows.aggregate(before=Avg("value", filter=before), now=Avg("value", filter=Q(at__gte=recent)))
    if found["before"] is None or found["now"] is None:
        return None
    return ErrorRate(before=found["before"], now=found["now"], tolerated=TOLERATED_POINTS)
