"""The live state of affected services, as the overview shows it, and since when they have been well."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from dashboard import overview
from dashboard.models import Alert
from dashboard.services.base import services
from dashboard.status import State
from incidents.evidence import ServiceHealth
from incidents.models import Incident
from incidents.timeline import Kind, append
from novaops.environment import Environment

# A service without an alert for this long is simply healthy; further back nobody looks.
LOOK_BACK = timedelta(days=1)


def read(environment: Environment, kinds: tuple[str, ...]) -> tuple[ServiceHealth, ...]:
    """The state of each of these services from the overview's own snapshot. Only `ok` is healthy."""
    return of(overview.build(environment), kinds)


def of(shown: overview.Overview, kinds: tuple[str, ...]) -> tuple[ServiceHealth, ...]:
    """The health of these services in a snapshot; a healthy one is so since its last alert cleared."""
    calm = _calm_since(shown.environment, kinds)
    return tuple(
        ServiceHealth(
            kind=tile.kind,
            title=tile.title,
            healthy=tile.state == State.OK,
            word=tile.state.word,
            since=calm.get(tile.kind) if tile.state == State.OK else tile.since,
            why=tile.why,
        )
        for tile in shown.tiles
        if tile.kind in kinds
    )


def _calm_since(environment: Environment, kinds: tuple[str, ...]) -> dict[str, datetime]:
    """When the last alert of each service cleared, where one did lately."""
    recent = Alert.objects.filter(
        environment=environment.name, service__in=kinds, cleared_at__gte=timezone.now() - LOOK_BACK
    )
    return dict(recent.order_by().values_list("service").annotate(Max("cleared_at")))


def titles(kinds: Iterable[str]) -> tuple[str, ...]:
    """The services as the tiles name them."""
    return tuple(services[kind].title if kind in services else kind for kind in kinds)


def attach_snapshot(incident: Incident, environment: Environment) -> None:
    """Put the verdict and the state of every tile on the timeline, frozen as data."""
    shown = overview.build(environment)
    states = ", ".join(f"{tile.title} {tile.state.word}" for tile in shown.tiles)
    values = {
        tile.kind: {value.label: f"{value.text} {value.unit}".strip() for value in tile.values} for tile in shown.tiles
    }
    append(
        incident,
        Kind.STATE,
        f"The overview said: {shown.verdict.sentence} ({states})",
        data={
            "snapshot": True,
            "verdict": str(shown.verdict.state),
            "values": values,
            "changes": [[change.at.isoformat(), change.kind, change.text] for change in shown.changes],
        },
    )
