"""Readings of a Nova that is well."""

from django.utils import timezone

from dashboard.models import Reading
from dashboard.services.base import Service, services
from novaops.environment import Environment

NODES = [{"id": "nova-cache-001", "role": "primary"}, {"id": "nova-cache-002", "role": "replica"}]


def all_healthy(environment: Environment) -> None:
    """Every service was collected just now, and every value that it declares is there."""
    now = timezone.now()
    for service in services.values():
        facts = {"nodes": NODES}
        values = {
            label: {"value": 1.0, "at": now.isoformat(), "unit": unit, "source": "test"}
            for label, unit in _labels(service, environment, facts)
        }
        Reading.objects.update_or_create(
            environment=environment.name,
            service=service.kind,
            defaults={"at": now, "values": values, "facts": facts, "failed": []},
        )


def _labels(
    service: Service, environment: Environment, facts: dict[str, list[dict[str, str]]]
) -> list[tuple[str, str]]:
    nodes = service.nodes(facts)
    return [
        (f"{series.name}/{node}" if node else series.name, series.unit)
        for series in service.series_in(environment)
        for node in (nodes if series.per_node else [""])
    ]
