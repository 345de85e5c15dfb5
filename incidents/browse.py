"""The list of incidents: what the address asks for, the newest first, page by page without counting them all."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from incidents import search
from incidents.models import Incident
from incidents.severity import SEVERITIES
from novaops.environment import SERVICE_KINDS, Environment

INCIDENTS_A_PAGE = 25
FILTERS = ("state", "severity", "service", "kind", "q")
KINDS = {"real": False, "drill": True}


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some incidents; `older` is what the next page begins before, None on the last one."""

    incidents: list[Incident]
    older: int | None


def find(place: Environment, asked: Mapping[str, str]) -> QuerySet[Incident]:
    """The environment's incidents that the filters leave; what no filter knows is not asked."""
    found = Incident.objects.filter(environment=place.name)
    if asked["state"] in Incident.State.values:
        found = found.filter(state=asked["state"])
    if asked["severity"] in SEVERITIES:
        found = found.filter(severity=asked["severity"])
    if asked["service"] in SERVICE_KINDS:
        found = found.filter(services__contains=[asked["service"]])
    if asked["kind"] in KINDS:
        found = found.filter(is_drill=KINDS[asked["kind"]])
    return search.matching(found, asked["q"])


def page(found: QuerySet[Incident], before: int | None, limit: int = INCIDENTS_A_PAGE) -> Page:
    """The incidents numbered below `before`, or the newest."""
    if before is not None:
        found = found.filter(number__lt=before)
    found = found.select_related("commander", "postmortem", "waiver").defer("postmortem__text")
    rows = list(found.prefetch_related("steps").order_by("-number")[: limit + 1])
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(incidents=rows, older=rows[-1].number if more else None)
