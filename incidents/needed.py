"""Which snapshots the open incidents need: those that their runs took or restored."""

from collections.abc import Iterator

from backups import claims
from backups.claims import Claim
from incidents.models import Incident, Link
from novaops.environment import Environment
from novaops.runbook.models import Run


def claimed(environment: Environment) -> Iterator[Claim]:
    """A claim for every snapshot of every run of an open incident."""
    for incident in Incident.objects.filter(environment=environment.name, state=Incident.State.OPEN):
        runs = Run.objects.filter(pk__in=incident.links.filter(kind=Link.Kind.RUN).values("ref")).select_related("plan")
        yield from claims.of_runs(runs, f"{incident.name} is open, and its run {{run}} works with it.")
