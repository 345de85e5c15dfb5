"""Incidents as marks on the charts of the services that they affect."""

from collections.abc import Iterator

from dashboard.marks import Mark, Stretch
from incidents.models import Incident


def of(stretch: Stretch) -> Iterator[Mark]:
    """When each incident on the service began, and when it was resolved."""
    affecting = Incident.objects.filter(
        stretch.within("started_at") | stretch.within("resolved_at"),
        environment=stretch.environment,
        services__contains=[stretch.service],
    )
    for incident in affecting:
        for at, word in ((incident.started_at, "began"), (incident.resolved_at, "resolved")):
            if at and stretch.since <= at < stretch.until:
                text = f"{incident.name} {word}: {incident.title}"
                yield Mark(at=at, kind="incident", text=text, url=incident.get_absolute_url())
