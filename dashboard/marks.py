"""What is marked on charts: deployments, runs and alerts, and what apps above add by `sources`, such as incidents."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from dashboard.models import Alert, Deployment
from novaops.runbook.models import Run

MOST = 100


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something that happened to a service; `kind` is deployment, run, alert or incident."""

    at: datetime
    kind: str
    text: str
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What marks are asked for: a service of an environment from `since` until `until`."""

    environment: str
    service: str
    since: datetime
    until: datetime

    def within(self, field: str) -> Q:
        """The condition that a time lies in it."""
        return Q(**{f"{field}__gte": self.since, f"{field}__lt": self.until})


def _deployments(stretch: Stretch) -> Iterator[Mark]:
    rows = Deployment.objects.filter(stretch.within("at"), environment=stretch.environment, service=stretch.service)
    for row in rows[:MOST]:
        yield Mark(at=row.at, kind="deployment", text=f"Deployment of {row.task_definition}")


def _runs(stretch: Stretch) -> Iterator[Mark]:
    rows = Run.objects.filter(stretch.within("started_at"), environment=stretch.environment, service=stretch.service)
    for row in rows[:MOST]:
        text = f"{row.title} on {row.target}: {row.get_status_display().lower()}"
        yield Mark(at=row.started_at or row.created_at, kind="run", text=text, url=row.get_absolute_url())


def _alerts(stretch: Stretch) -> Iterator[Mark]:
    rows = Alert.objects.filter(stretch.within("fired_at"), environment=stretch.environment, service=stretch.service)
    for row in rows[:MOST]:
        yield Mark(at=row.fired_at, kind="alert", text=f"{row.title}: {row.sentence}", url=row.get_absolute_url())


sources: list[Callable[[Stretch], Iterable[Mark]]] = [_deployments, _runs, _alerts]


def of(stretch: Stretch) -> list[Mark]:
    """Every mark of the stretch, oldest first; the newest where there are too many."""
    found = sorted((mark for source in sources for mark in source(stretch)), key=lambda mark: mark.at)
    return found[-MOST:]
