"""Incidents in the JSON API: the same decisions as every page, once for each Idempotency-Key."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Path, Query, Router, Schema, Status

from dashboard.models import Alert
from incidents import api_views as show
from incidents import declaring, entries, search
from incidents import incident as decide
from incidents.api_schemas import (
    DeclareIn,
    FollowUpFilters,
    FollowUpIn,
    FollowUpOut,
    FollowUpsPage,
    FollowUpStateIn,
    IncidentFilters,
    IncidentOut,
    IncidentsPage,
    NoteIn,
    Number,
    PostmortemOut,
    TimelineFilters,
    TimelinePage,
    UpdateIn,
)
from incidents.guard import Conflict, Refused
from incidents.models import FollowUp, Incident, Once, Postmortem, TimelineEntry
from incidents.severity import computed
from novaops import environment as environments
from novaops.access.policy import Verb
from novaops.runbook import api
from novaops.runbook.api_document import answers, links
from novaops.runbook.api_problems import Problem, refuse_unknown_query
from novaops.runbook.api_schemas import RowId

router = Router()
IncidentNumber = Annotated[Number, Path()]
FollowUpId = Annotated[RowId, Path()]
Made = TypeVar("Made")


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
    found = search.matching(api.visible(request, found), filters.q or "")
    page = found.filter(number__lt=filters.cursor) if filters.cursor else found
    return _page(page.order_by("-number"), filters.limit, show.brief, lambda row: row.number)


@router.post(
    "/incidents",
    response=answers({200: IncidentOut, 201: IncidentOut}, 400, 409, 413, 415, 422),
    openapi_extra=links("incident"),
)
def declare(request: HttpRequest, body: DeclareIn, key: api.Key, response: HttpResponse) -> Any:
    """Declare: 201, or 200 with the first incident where this token sent the same with this key before.

    409 with code `covered` names the open incident of the same cause or, without `anyway`, of the same service.
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
            alert=_alert(body),
        )
        via = f"api:{token.public_id}"
        return declaring.declare(said, by=token.owner, anyway=body.anyway, via=via).number

    number, first = _once(request, "declare", key, body, do)
    response["Location"] = reverse("api:incident", args=[number])
    return Status(201 if first else 200, show.incident(_row(number)))


@router.get("/incidents/{number}", response=answers({200: IncidentOut}, 404, 422), url_name="incident")
def incident(request: HttpRequest, number: IncidentNumber) -> Any:
    """An incident with its checklist; a merged one says which it became a part of."""
    return show.incident(_incident(request, number))


@router.patch("/incidents/{number}", response=answers({200: IncidentOut}, 400, 404, 409, 413, 415, 422))
def update(request: HttpRequest, number: IncidentNumber, body: UpdateIn) -> Any:
    """Change the title, the services or the impact. 409 with code `changed` where the version is an old one."""
    row = _incident(request, number, Verb.JOIN)
    services = tuple(dict.fromkeys(body.services or row.services))
    impact = row.impact if body.impact is None else body.impact
    by = api.token_of(request).owner
    _decided(lambda: decide.set_affected(number, services, impact, by=by, title=body.title or "", version=body.version))
    return show.incident(_row(number))


@router.get("/incidents/{number}/timeline", response=answers({200: TimelinePage}, 404, 422))
def timeline(request: HttpRequest, number: IncidentNumber, filters: Query[TimelineFilters]) -> Any:
    """The timeline, newest first."""
    refuse_unknown_query(request, TimelineFilters)
    wanted = filters.dict(exclude_none=True, include={"kind", "starred"})
    rows = _incident(request, number).timeline.filter(**wanted).select_related("author")
    found = entries.earlier(rows, filters.cursor).order_by("-at", "-id")
    return _page(found, filters.limit, show.entry, lambda row: row.pk)


@router.post(
    "/incidents/{number}/notes", response=answers({200: TimelinePage, 201: TimelinePage}, 400, 404, 409, 413, 415, 422)
)
def note(request: HttpRequest, number: IncidentNumber, body: NoteIn, key: api.Key) -> Any:
    """Write a note: 201, or 200 where this token sent the same with this key before."""
    _incident(request, number, Verb.JOIN)
    token = api.token_of(request)
    own = f"api:{token.public_id}:{key}"

    def do() -> int:
        decide.note(number, body.text, by=token.owner, key=own, at=body.at, report=body.report)
        return TimelineEntry.objects.get(incident__number=number, dedup_key=own).pk

    ref, first = _once(request, f"note:{number}", key, body, do)
    written = TimelineEntry.objects.select_related("author").get(pk=ref)
    return Status(201 if first else 200, {"items": [show.entry(written)], "next_cursor": None})


@router.get("/incidents/{number}/postmortem", response=answers({200: PostmortemOut}, 404, 422))
def postmortem(request: HttpRequest, number: IncidentNumber) -> Any:
    """The post-mortem with its text; 404 while nobody has opened it."""
    return show.postmortem(_postmortem(request, number))


@router.get("/incidents/{number}/postmortem.md", include_in_schema=False)
def markdown(request: HttpRequest, number: IncidentNumber) -> HttpResponse:
    """The post-mortem's text alone."""
    return HttpResponse(_postmortem(request, number).text, content_type="text/markdown; charset=utf-8")


@router.get("/incidents/{number}/follow-ups", response=answers({200: list[FollowUpOut]}, 404, 422))
def follow_ups_of(request: HttpRequest, number: IncidentNumber) -> Any:
    """The follow-ups of one incident."""
    rows = _incident(request, number).follow_ups.select_related("owner", "created_by", "incident")
    return [show.follow_up(row) for row in rows]


@router.post(
    "/incidents/{number}/follow-ups",
    response=answers({200: FollowUpOut, 201: FollowUpOut}, 400, 404, 409, 413, 415, 422),
)
def add_follow_up(request: HttpRequest, number: IncidentNumber, body: FollowUpIn, key: api.Key) -> Any:
    """Write down a follow-up: 201, or 200 where this token sent the same with this key before."""
    _incident(request, number, Verb.JOIN)
    owner = _owner(body.owner)
    row = FollowUp(title=body.title, kind=body.kind, owner=owner, due=body.due)

    def do() -> int:
        decide.add_follow_up(number, row, by=api.token_of(request).owner)
        return row.pk

    ref, first = _once(request, f"follow-up:{number}", key, body, do)
    return Status(201 if first else 200, show.follow_up(_piece(ref)))


@router.get("/follow-ups", response=answers({200: FollowUpsPage}, 422))
def follow_ups(request: HttpRequest, filters: Query[FollowUpFilters]) -> Any:
    """Follow-ups of all incidents, newest first."""
    refuse_unknown_query(request, FollowUpFilters)
    api.refuse_unless(request, Verb.VIEW)
    seen = api.visible(request, Incident.objects.all())
    if filters.environment:
        seen = seen.filter(environment=filters.environment)
    found = FollowUp.objects.filter(incident__in=seen).select_related("owner", "created_by", "incident")
    found = found.filter(state=filters.state) if filters.state else found
    page = found.filter(pk__lt=filters.cursor) if filters.cursor else found
    return _page(page.order_by("-pk"), filters.limit, show.follow_up, lambda row: row.pk)


@router.patch("/follow-ups/{follow_up_id}", response=answers({200: FollowUpOut}, 400, 404, 409, 413, 415, 422))
def set_follow_up(request: HttpRequest, follow_up_id: FollowUpId, body: FollowUpStateIn) -> Any:
    """Finish, drop or open a follow-up again."""
    row = _follow_up(request, follow_up_id, Verb.JOIN)
    by = api.token_of(request).owner
    _decided(lambda: decide.set_follow_up_state(row.incident.number, row.pk, body.state, by=by))
    return show.follow_up(_piece(follow_up_id))


def _page(
    found: "QuerySet[Any]", limit: int, shown: Callable[[Any], dict[str, Any]], cursor: Callable[[Any], int]
) -> dict[str, Any]:
    rows = list(found[: limit + 1])
    more = len(rows) > limit
    rows = rows[:limit]
    return {"items": [shown(row) for row in rows], "next_cursor": cursor(rows[-1]) if more else None}


def _row(number: int) -> Incident:
    found = Incident.objects.select_related("commander", "merged_into").filter(number=number).first()
    if found is None:
        raise Problem(404, "not-found", f"There is no incident {number}.")
    return found


def _piece(ref: int) -> FollowUp:
    found = FollowUp.objects.select_related("owner", "created_by", "incident").filter(pk=ref).first()
    if found is None:
        raise Problem(404, "not-found", f"There is no follow-up {ref}.")
    return found


def _incident(request: HttpRequest, number: int, verb: Verb = Verb.VIEW) -> Incident:
    found = _row(number)
    api.refuse_unless(request, verb, environments.get(found.environment))
    return found


def _follow_up(request: HttpRequest, ref: int, verb: Verb = Verb.VIEW) -> FollowUp:
    found = _piece(ref)
    api.refuse_unless(request, verb, environments.get(found.incident.environment))
    return found


def _postmortem(request: HttpRequest, number: int) -> Postmortem:
    found = Postmortem.objects.filter(incident=_incident(request, number)).select_related("incident").first()
    if found is None:
        raise Problem(404, "not-found", f"INC-{number} has no post-mortem yet.")
    return found


def _severity(body: DeclareIn) -> str:
    if body.severity:
        return body.severity
    if body.reach is None:
        raise Problem(422, "invalid", "Give the severity, or reach to compute it from.", field="severity")
    return computed(body.reach, body.loss)


def _alert(body: DeclareIn) -> Alert | None:
    if body.alert is None:
        return None
    found = Alert.objects.filter(pk=body.alert, environment=body.environment, cleared_at=None).first()
    if found is None:
        raise Problem(422, "invalid", f"No alert {body.alert} fires there.", field="alert")
    return found


def _owner(username: str | None) -> User | None:
    if username is None:
        return None
    found = User.objects.filter(username=username, is_active=True).first()
    if found is None:
        raise Problem(422, "invalid", f"There is no user {username!r}.", field="owner")
    return found


def _once(request: HttpRequest, what: str, key: str, body: Schema, do: Callable[[], int]) -> tuple[int, bool]:
    """What the request made, and whether it was made just now; another request with the same key is refused."""
    own = f"{api.token_of(request).public_id}:{key}"
    said = json.dumps([what, body.dict()], sort_keys=True, default=str)
    digest = hashlib.sha256(said.encode()).hexdigest()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [own])
        there = Once.objects.filter(key=own).first()
        if there and there.digest != digest:
            sentence = "This idempotency key was used for another request. Nothing happened."
            raise Problem(422, "key-reused", sentence, field="Idempotency-Key")
        if there:
            return there.ref, False
        ref = _decided(do)
        Once.objects.create(key=own, digest=digest, ref=ref, at=timezone.now())
    return ref, True


def _decided(do: Callable[[], Made]) -> Made:
    """Do it; what the decision refuses becomes a problem."""
    try:
        return do()
    except declaring.Covered as refusal:
        raise Problem(409, "covered", refusal.sentence) from refusal
    except Conflict as refusal:
        sentence = f"It is at version {refusal.incident.version} by now. Nothing happened: look at it again."
        raise Problem(409, "changed", sentence, field="version") from refusal
    except Refused as refusal:
        raise Problem(409, "refused", refusal.sentence) from refusal
    except PermissionDenied as refusal:
        raise Problem(403, "not-permitted", str(refusal)) from refusal
    except Http404 as missing:
        raise Problem(404, "not-found", "There is no such incident.") from missing
