"""Incidents in the JSON API: the same decisions as every page, once for each Idempotency-Key."""

from typing import Annotated, Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Path, Query, Router, Status

from dashboard.models import Alert
from incidents import api_asking as asking
from incidents import api_views as show
from incidents import declaring, entries, merging, moments, search
from incidents import incident as decide
from incidents.api_asking import IncidentNumber
from incidents.api_schemas import (
    AddIn,
    DeclareIn,
    IncidentBrief,
    IncidentFilters,
    IncidentOut,
    IncidentsPage,
    MarksIn,
    MergeIn,
    MomentIn,
    NoteIn,
    SeverityIn,
    TimelineEntryOut,
    TimelineFilters,
    TimelinePage,
    UpdateIn,
)
from incidents.models import Incident, Link, TimelineEntry
from incidents.severity import computed
from novaops import environment as environments
from novaops.access.policy import Verb
from novaops.runbook import api
from novaops.runbook.api_document import answers, links
from novaops.runbook.api_problems import Problem, refuse_unknown_query
from novaops.runbook.api_schemas import RowId

router = Router(tags=["Incidents"])


@router.get("/incidents", response=answers({200: IncidentsPage}, 422))
def incidents(request: HttpRequest, filters: Query[IncidentFilters]) -> Any:
    """Incidents, newest first."""
    refuse_unknown_query(request, IncidentFilters)
    api.refuse_unless(request, Verb.VIEW)
    wanted = filters.dict(exclude_none=True, include={"environment", "state", "severity"})
    found = Incident.objects.filter(**wanted).select_related("commander", "merged_into")
    if filters.service:
        found = found.filter(services__contains=[filters.service])
    if filters.drill is not None:
        found = found.filter(is_drill=filters.drill)
    if filters.alert:
        of_alert = Link.objects.filter(kind=Link.Kind.ALERT, ref=filters.alert)
        found = found.filter(pk__in=of_alert.values("incident"))
    found = search.matching(api.visible(request, found), filters.q or "")
    page = found.filter(number__lt=filters.cursor) if filters.cursor else found
    return api.page(page.order_by("-number"), filters.limit, show.brief, lambda row: row.number)


@router.post(
    "/incidents",
    response=answers({200: IncidentOut, 201: IncidentOut}, 400, 409, 413, 415, 422),
    openapi_extra=links("incident"),
)
def declare(request: HttpRequest, body: DeclareIn, key: api.Key, response: HttpResponse) -> Any:
    """Declare: 201, or 200 with the first incident where this token sent the same with this key before.

    409 with code `covered` names the open `incident` of the same cause or, without `anyway`, of the same service:
    add to that one what you see, or declare with `anyway`.
    """
    place = environments.get(body.environment)
    if place is None:
        raise Problem(422, "invalid", f"There is no environment {body.environment!r}.", field="environment")
    api.refuse_unless(request, Verb.JOIN, place)
    token = api.token_of(request)

    def do() -> int:
        said = declaring.Declaration(
            environment=place,
            title=body.title,
            severity=_severity(body),
            services=tuple(dict.fromkeys(body.services)),
            impact=body.impact,
            started_at=body.started_at,
            report=body.report,
            alert=_alert(body.alert, body.environment),
        )
        return declaring.declare(said, by=token.owner, anyway=body.anyway, via=asking.via(request)).number

    number, first = asking.once(request, "declare", key, body, do)
    response["Location"] = reverse("api:incident", args=[number])
    return Status(201 if first else 200, show.incident(asking.row(number)))


@router.get("/incidents/{number}", response=answers({200: IncidentOut}, 404, 422), url_name="incident")
def incident(request: HttpRequest, number: IncidentNumber) -> Any:
    """An incident with its checklist; a merged one says which it became a part of."""
    return show.incident(asking.incident(request, number))


@router.patch("/incidents/{number}", response=answers({200: IncidentOut}, *asking.WRITE))
def update(request: HttpRequest, number: IncidentNumber, body: UpdateIn) -> Any:
    """Change the title, the services or the impact. 409 with code `changed` where the version is an old one."""
    row = asking.incident(request, number, Verb.JOIN)
    services = tuple(dict.fromkeys(body.services or row.services))
    impact = row.impact if body.impact is None else body.impact
    more: dict[str, Any] = {"by": asking.owner(request), "title": body.title or "", "version": body.version}
    asking.decided(request, lambda: decide.set_affected(number, services, impact, **more))
    return show.incident(asking.row(number))


@router.get("/incidents/{number}/timeline", response=answers({200: TimelinePage}, 404, 422))
def timeline(request: HttpRequest, number: IncidentNumber, filters: Query[TimelineFilters]) -> Any:
    """The timeline, newest first."""
    refuse_unknown_query(request, TimelineFilters)
    wanted = filters.dict(exclude_none=True, include={"kind", "starred"})
    rows = asking.incident(request, number).timeline.filter(**wanted).select_related("author")
    rows = rows.filter(pk__gt=filters.after) if filters.after else rows
    found = entries.earlier(rows, filters.cursor).order_by("-at", "-id")
    return api.page(found, filters.limit, show.entry, lambda row: row.pk)


@router.post("/incidents/{number}/notes", response=answers({200: TimelinePage, 201: TimelinePage}, *asking.WRITE))
def note(request: HttpRequest, number: IncidentNumber, body: NoteIn, key: api.Key) -> Any:
    """Write a note: 201, or 200 where this token sent the same with this key before."""
    asking.incident(request, number, Verb.JOIN)
    own, by = asking.own_key(request, key), asking.owner(request)

    def do() -> int:
        decide.note(number, body.text, by=by, key=own, at=body.at, report=body.report)
        return TimelineEntry.objects.get(incident__number=number, dedup_key=own).pk

    ref, first = asking.once(request, f"note:{number}", key, body, do)
    written = TimelineEntry.objects.select_related("author").get(pk=ref)
    return Status(201 if first else 200, {"items": [show.entry(written)], "next_cursor": None})


@router.post("/incidents/{number}/severity", response=answers({200: IncidentOut}, *asking.WRITE))
def severity(request: HttpRequest, number: IncidentNumber, body: SeverityIn, key: api.Key) -> Any:
    """Change the severity by its written definition. Needs the scope `command:incidents`."""
    asking.incident(request, number, Verb.COMMAND)
    wanted, by = _severity(body), asking.owner(request)

    def do() -> int:
        return decide.set_severity(number, wanted, by=by, reason=body.reason, version=body.version).number

    asking.once(request, f"severity:{number}", key, body, do)
    return show.incident(asking.row(number))


@router.post("/incidents/{number}/moments", response=answers({200: IncidentOut}, *asking.WRITE))
def moment(request: HttpRequest, number: IncidentNumber, body: MomentIn, key: api.Key) -> Any:
    """Set a key moment to its true time; what was said before stays on the timeline."""
    asking.incident(request, number, Verb.JOIN)
    by = asking.owner(request)

    def do() -> int:
        return moments.set_moment(number, body.name, body.at, body.reason, by=by, version=body.version).number

    asking.once(request, f"moment:{number}", key, body, do)
    return show.incident(asking.row(number))


@router.get("/incidents/{number}/duplicates", response=answers({200: list[IncidentBrief]}, 404, 422))
def duplicates(request: HttpRequest, number: IncidentNumber) -> Any:
    """The open incidents that it may be the same as, those of the same services first."""
    found = asking.incident(request, number)
    return [show.brief(row) for row in merging.candidates(found)]


@router.post("/incidents/{number}/merge", response=answers({200: IncidentOut}, *asking.WRITE))
def merge(request: HttpRequest, number: IncidentNumber, body: MergeIn, key: api.Key) -> Any:
    """Make it a part of another open incident, which is the answer. Needs the scope `command:incidents`."""
    asking.incident(request, number, Verb.COMMAND)
    by = asking.owner(request)

    def do() -> int:
        return merging.merge(number, body.into, body.reason, by=by).number

    into, _ = asking.once(request, f"merge:{number}", key, body, do)
    return show.incident(asking.row(into))


@router.post("/incidents/{number}/additions", response=answers({200: IncidentOut}, *asking.WRITE))
def add(request: HttpRequest, number: IncidentNumber, body: AddIn, key: api.Key) -> Any:
    """Add what would have been declared to this open incident: its alert, its report, its services."""
    found = asking.incident(request, number, Verb.JOIN)
    place, by = asking.place(found), asking.owner(request)

    def do() -> int:
        said = declaring.Declaration(
            environment=place,
            title=body.title,
            severity=found.severity,
            services=tuple(dict.fromkeys(body.services)),
            report=body.report,
            alert=_alert(body.alert, place.name),
        )
        return merging.add_to(number, said, by=by).number

    asking.once(request, f"add:{number}", key, body, do)
    return show.incident(asking.row(number))


@router.patch("/incidents/{number}/timeline/{entry_id}", response=answers({200: TimelineEntryOut}, *asking.WRITE))
def marks(request: HttpRequest, number: IncidentNumber, entry_id: Annotated[RowId, Path()], body: MarksIn) -> Any:
    """Mark an entry as a key moment or keep it on top, or no longer. Its text is never changed."""
    found = asking.incident(request, number, Verb.JOIN)
    if not found.timeline.filter(pk=entry_id).exists():
        raise Problem(404, "not-found", f"{found.name} has no entry {entry_id}.")
    by, wanted = asking.owner(request), body.dict(exclude_none=True)

    def do() -> None:
        with transaction.atomic():
            for name, on in wanted.items():
                decide.mark(number, entry_id, name, on, by=by)

    asking.decided(request, do)
    return show.entry(TimelineEntry.objects.select_related("author").get(pk=entry_id))


def _severity(body: DeclareIn | SeverityIn) -> str:
    if body.severity:
        return body.severity
    if body.reach is None:
        raise Problem(422, "invalid", "Give the severity, or reach to compute it from.", field="severity")
    return computed(body.reach, body.loss)


def _alert(ref: int | None, environment: str) -> Alert | None:
    if ref is None:
        return None
    found = Alert.objects.filter(pk=ref, environment=environment, cleared_at=None).first()
    if found is None:
        raise Problem(422, "invalid", f"No alert {ref} fires there.", field="alert")
    return found
