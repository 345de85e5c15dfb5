"""What the bar of every page shows. Nothing is read until a template asks for it."""

from datetime import datetime
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from dashboard.overview import IncidentStrip, Overview, incident_of
from novaops import environment as declared
from novaops.environment import Environment
from novaops.runbook.models import Run
from novaops.runbook.states import ACTIVE

ON_REQUEST = "overview"


class Bar:
    """The environment, the open incident and the counts in the navigation; the overview's where the page has one."""

    def __init__(self, request: HttpRequest) -> None:
        self._overview: Overview | None = getattr(request, ON_REQUEST, None)
        self._request = request

    @cached_property
    def environment(self) -> Environment:
        return self._overview.environment if self._overview else asked(self._request)

    @property
    def environments(self) -> list[Environment]:
        return list(declared.environments().values())

    @property
    def now(self) -> datetime:
        return timezone.now()

    @cached_property
    def incident(self) -> IncidentStrip | None:
        return self._overview.incident if self._overview else incident_of(self.environment)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Open incidents shown, and runs that are not over."""
        return {"incidents": int(self.incident is not None), "runs": self._runs()}

    def _runs(self) -> int:
        if self._overview:
            return len(self._overview.running)
        return Run.objects.filter(environment=self.environment.name, status__in=ACTIVE).count()


def asked(request: HttpRequest) -> Environment:
    """The environment that the address names (`?environment=`), the first declared where it names none."""
    return declared.get(request.GET.get("environment", "")) or declared.default()


def bar(request: HttpRequest) -> dict[str, Any]:
    """`bar` in every template."""
    return {"bar": Bar(request)}
