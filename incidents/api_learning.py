"""What incidents teach together, in the JSON API: the same numbers as on the page."""

from datetime import timedelta
from typing import Any, Literal

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema

from incidents import learning
from novaops import environment as environments
from novaops.access.policy import Verb
from novaops.runbook import api
from novaops.runbook.api_document import answers
from novaops.runbook.api_problems import Problem, refuse_unknown_query
from novaops.runbook.api_schemas import Word

router = Router(tags=["Learning"])


class LearningFilters(Schema):
    """Of which environment, the first declared one where none is named; over how many days."""

    environment: Word | None = None
    span: Literal["30", "90", "365", "all"] = "90"


@router.get("/learning", response=answers({200: dict[str, Any]}, 422))
def lessons(request: HttpRequest, filters: Query[LearningFilters]) -> Any:
    """Times by severity, service and month, factors, actions, the noise of alerts, and every measure behind them."""
    refuse_unknown_query(request, LearningFilters)
    place = environments.get(filters.environment) if filters.environment else environments.default()
    if place is None:
        raise Problem(422, "invalid", f"There is no environment {filters.environment!r}.", field="environment")
    api.refuse_unless(request, Verb.VIEW, place)
    since = None if filters.span == "all" else timezone.now() - timedelta(days=int(filters.span))
    return StreamingHttpResponse(learning.as_json(place.name, since), content_type="application/json")
