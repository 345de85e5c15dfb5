"""Alerts in the JSON API: what fires and what fired, for whoever declares incidents by program."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Path, Query, Router, Schema

from dashboard.models import Alert, Witness
from novaops import environment as environments
from novaops.access.policy import Verb
from novaops.runbook import api
from novaops.runbook.api_document import answers
from novaops.runbook.api_problems import Problem, refuse_unknown_query
from novaops.runbook.api_schemas import Limit, RowId, Word

router = Router(tags=["Alerts"])


class AlertFilters(Schema):
    """Which alerts, newest first. `cursor` is the `next_cursor` of the page before."""

    environment: Word | None = None
    service: Word | None = None
    state: Literal["firing", "cleared"] | None = None
    severity: Literal["warn", "crit"] | None = None
    cursor: RowId | None = None
    limit: Limit = 50


class WitnessOut(Schema):
    """Who tells of it: NovaOps' own rule, CloudWatch, PagerDuty, a webhook."""

    source: str
    name: str
    sentence: str
    url: str
    since: datetime
    ended_at: datetime | None


class AlertOut(Schema):
    """An alert. The condition began at `started_at` and had lasted long enough at `fired_at`."""

    id: int
    environment: str
    service: str
    rule: str
    resource: str
    title: str
    severity: str
    state: Literal["firing", "cleared"]
    sentence: str
    value: float | None
    threshold: float | None
    started_at: datetime
    fired_at: datetime
    cleared_at: datetime | None
    flaps: int
    witnesses: list[WitnessOut]
    page: str


class AlertsPage(Schema):
    """A page of alerts; `next_cursor` is null on the last."""

    items: list[AlertOut]
    next_cursor: int | None


@router.get("/alerts", response=answers({200: AlertsPage}, 422))
def alerts(request: HttpRequest, filters: Query[AlertFilters]) -> Any:
    """Alerts, newest first, with who witnessed each."""
    refuse_unknown_query(request, AlertFilters)
    api.refuse_unless(request, Verb.VIEW)
    wanted = filters.dict(exclude_none=True, exclude={"cursor", "limit"})
    found = api.visible(request, Alert.objects.filter(**wanted).prefetch_related("witnesses"))
    older = found.filter(pk__lt=filters.cursor) if filters.cursor else found
    return api.page(older.order_by("-pk"), filters.limit, _alert, lambda row: row.pk)


@router.get("/alerts/{alert_id}", response=answers({200: AlertOut}, 404, 422))
def alert(request: HttpRequest, alert_id: Annotated[RowId, Path()]) -> Any:
    """One alert."""
    found = Alert.objects.filter(pk=alert_id).prefetch_related("witnesses").first()
    if found is None:
        raise Problem(404, "not-found", f"There is no alert {alert_id}.")
    api.refuse_unless(request, Verb.VIEW, environments.get(found.environment))
    return _alert(found)


def _alert(row: Alert) -> dict[str, Any]:
    names = AlertOut.model_fields.keys() - {"id", "witnesses", "page"}
    witnesses = [_witness(one) for one in row.witnesses.all()]
    shown = {name: getattr(row, name) for name in names}
    return {**shown, "id": row.pk, "witnesses": witnesses, "page": row.get_absolute_url()}


def _witness(row: Witness) -> dict[str, Any]:
    return {name: getattr(row, name) for name in WitnessOut.model_fields}
