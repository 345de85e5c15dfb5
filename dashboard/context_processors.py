"""What the bar of every page shows. Nothing is read until a template asks for it."""

from datetime import datetime
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from dashboard import rehearsals
from dashboard.overview import IncidentStrip, Overview, incident_of
from novaops import environment as declared
from novaops.environment import Environment
from novaops.runbook import freezes
from novaops.runbook.models import Freeze, Run
from novaops.runbook.states import ACTIVE, RunStatus

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
        """Open incidents, runs that are not over, and those of them that wait for a second person."""
        active = self._active()
        waiting = active.count(RunStatus.AWAITING_APPROVAL)
        incidents = 1 + self.incident.others if self.incident else 0
        return {"incidents": incidents, "runs": len(active), "approvals": waiting}

    @cached_property
    def drill(self) -> bool:
        """Whether a rehearsal goes on in the environment."""
        return rehearsals.go_on(self.environment)

    @cached_property
    def freeze(self) -> Freeze | None:
        return freezes.standing(self.environment.name)

    def _active(self) -> list[str]:
        if self._overview:
            return [run.status for run in self._overview.running]
        found = Run.objects.filter(environment=self.environment.name, status__in=ACTIVE)
        return list(found.values_list("status", flat=True))


def asked(request: HttpRequest) -> Environment:
    """The environment that the address names (`?environment=`), the first declared where it names none."""
    return declared.get(request.GET.get("environment", "")) or declared.default()


def bar(request: HttpRequest) -> dict[str, Any]:
    """`bar` in every template."""
    return {"bar": Bar(request)}
