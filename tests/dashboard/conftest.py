"""What the dashboard's tests share: the sandbox's environment, and readings as the collector would have left them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from dashboard.models import Reading
from dashboard.services.base import Service, services
from novaops import environment as declared
from novaops.environment import Environment

NODES = ("nova-cache-001", "nova-cache-002")
FACTS: dict[str, dict[str, Any]] = {
    "cache": {
        "nodes": [{"id": NODES[0], "role": "primary", "zone": "a"}, {"id": NODES[1], "role": "replica", "zone": "b"}]
    }
}


@pytest.fixture
def environment() -> Environment:
    return declared.default()


def labels(service: Service, environment: Environment) -> list[str]:
    """Every label that a reading of the service has."""
    return [
        f"{series.name}/{node}" if node else series.name
        for series in service.series_in(environment)
        for node in (NODES if series.per_node else ("",))
    ]


def unsaved_reading(
    environment: Environment, kind: str, at: datetime, ages_s: dict[str, float] | None = None
) -> Reading:
    """A reading of calm values; `ages_s` makes those of a source that old."""
    service = services[kind]
    source_of = {series.name: series for series in service.series_in(environment)}
    values = {}
    for label in labels(service, environment):
        series = source_of[label.partition("/")[0]]
        age = timedelta(seconds=(ages_s or {}).get(series.source, 0))
        values[label] = {"value": 1.0, "at": (at - age).isoformat(), "unit": series.unit, "source": series.source}
    return Reading(
        environment=environment.name,
        service=kind,
        at=at,
        source="CloudWatch, ECS",
        values=values,
        facts=FACTS.get(kind, {}),
        spark=[1.0] * 60,
    )


@pytest.fixture
def calm(environment: Environment, db: None) -> Callable[..., datetime]:
    """Writes a fresh reading of every service: `calm(at)`, or `calm(at, {"CloudWatch": 300})` to make a source old."""

    def write(at: datetime | None = None, ages_s: dict[str, float] | None = None) -> datetime:
        at = at or timezone.now()
        Reading.objects.bulk_create(
            [unsaved_reading(environment, kind, at, ages_s) for kind in services],
            update_conflicts=True,
            unique_fields=["environment", "service"],
            update_fields=["at", "values", "facts", "spark"],
        )
        return at

    return write
