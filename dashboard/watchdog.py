"""Notices an environment of which no rounds come any more, which no round could: the rule on missed rounds."""

from datetime import datetime, timedelta

from django.db import transaction

from dashboard import alerts, samples, thresholds
from dashboard.models import Round
from dashboard.samples import Key
from dashboard.services.base import services
from dashboard.services.novaops import NovaOps
from novaops import live
from novaops.environment import Environment

RULE = "collector-dead"
# Rounds may be a little late without one being missed.
LATE = 1.5
LOOK_BACK = timedelta(minutes=10)


def watch(environment: Environment, now: datetime) -> None:
    """Count the rounds that were missed since the last one, and judge the rule by that; a round counts nought."""
    newest = Round.objects.filter(environment=environment.name).order_by("-started_at").first()
    if newest is None:
        return
    missed = (now - newest.started_at) / timedelta(seconds=environment.collect_every_s)
    if missed >= LATE:
        _keep(environment, missed, now)


@transaction.atomic
def _keep(environment: Environment, missed: float, now: datetime) -> None:
    service = services[NovaOps.kind]
    rules = thresholds.rules(service, environment, thresholds.changed(environment))
    rule = next(one for one in rules if one.key == RULE)
    series = next(one for one in service.series if one.name == rule.series)
    key = Key(service.kind, series.name)
    row = samples.series_of(environment.name, {key: series.unit})[key]
    samples.write({(row.pk, now): missed}, now)
    points = samples.window([row.pk], now - LOOK_BACK - timedelta(seconds=rule.for_s))[row.pk]
    timing = alerts.Timing.of(series, environment)
    alerts.update_one(
        environment.name, alerts.Watched(key=key, rule=rule, timing=timing, unit=series.unit, points=points), now
    )
    live.publish(f"overview:{environment.name}")
