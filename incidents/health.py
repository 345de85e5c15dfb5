"""The live state of affected services, as the overview shows it."""

from dashboard import overview
from dashboard.status import State
from incidents.evidence import ServiceHealth
from incidents.models import Incident
from incidents.timeline import Kind, append
from novaops.environment import Environment


def read(environment: Environment, services: tuple[str, ...]) -> tuple[ServiceHealth, ...]:
    """The state of each of these services from the overview's own snapshot. Only `ok` is healthy."""
    return of(overview.build(environment), services)


def of(shown: overview.Overview, services: tuple[str, ...]) -> tuple[ServiceHealth, ...]:
    return tuple(
        ServiceHealth(
            kind=tile.kind,
            title=tile.title,
            healthy=tile.state == State.OK,
            word=tile.state.word,
            since=tile.since,
            why=tile.why,
        )
        for tile in shown.tiles
        if tile.kind in services
    )


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
        f"{shown.verdict.sentence} ({states})",
        data={
            "snapshot": True,
            "verdict": str(shown.verdict.state),
            "values": values,
            "changes": [[change.at.isoformat(), change.kind, change.text] for change in shown.changes],
        },
    )
