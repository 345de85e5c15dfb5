"""The live state of affected services, as the overview shows it, and since when they have been well."""

from collections.abc import Collection, Iterable
from datetime import datetime

from dashboard import overview
from dashboard.models import Alert
from dashboard.services.base import services
from dashboard.status import State
from incidents import frozen
from incidents.evidence import ServiceHealth
from incidents.models import Incident
from incidents.timeline import Kind, append
from novaops.environment import Environment


def of(shown: overview.Overview, kinds: Collection[str], alerts: Iterable[Alert]) -> tuple[ServiceHealth, ...]:
    """The health of these services in a snapshot of the overview. Only `ok` is healthy.

    A healthy one is so since the last of its `alerts` cleared; None where none did lately.
    """
    calm: dict[str, datetime] = {}
    for alert in alerts:
        if alert.cleared_at:
            calm[alert.service] = max(alert.cleared_at, calm.get(alert.service, alert.cleared_at))
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
            "charts": frozen.charts(environment.name, incident.services),
        },
    )
    for change in shown.changes:
        if change.kind == "deployment":
            key = f"deployment:{change.at.isoformat()}:{change.text}"[:120]
            append(incident, Kind.DEPLOYMENT, change.text, at=change.at, url=change.url, dedup_key=key)
