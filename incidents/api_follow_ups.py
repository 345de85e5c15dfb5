"""Follow-ups in the JSON API: written down, changed field by field, finished, listed across incidents."""

from typing import Annotated, Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Status

from incidents import api_asking as asking
from incidents import api_paper_views as show
from incidents import follow_ups as work
from incidents import incident as decide
from incidents.api_asking import IncidentNumber
from incidents.api_paper_schemas import FollowUpChangeIn, FollowUpFilters, FollowUpIn, FollowUpOut, FollowUpsPage
from incidents.models import FollowUp, Incident
from novaops import environment as environments
from novaops.access.policy import Verb
from novaops.runbook import api
from novaops.runbook.api_document import answers
from novaops.runbook.api_problems import Problem, refuse_unknown_query
from novaops.runbook.api_schemas import RowId

router = Router(tags=["Follow-ups"])
FollowUpId = Annotated[RowId, Path()]


@router.get("/incidents/{number}/follow-ups", response=answers({200: list[FollowUpOut]}, 404, 422))
def follow_ups_of(request: HttpRequest, number: IncidentNumber) -> Any:
    """The follow-ups of one incident."""
    rows = asking.incident(request, number).follow_ups.select_related("owner", "created_by", "incident")
    return [show.follow_up(row) for row in rows]


@router.post("/incidents/{number}/follow-ups", response=answers({200: FollowUpOut, 201: FollowUpOut}, *asking.WRITE))
def add_follow_up(request: HttpRequest, number: IncidentNumber, body: FollowUpIn, key: api.Key) -> Any:
    """Write down a follow-up: 201, or 200 where this token sent the same with this key before."""
    asking.incident(request, number, Verb.JOIN)
    owner = asking.user_named(body.owner, "owner")
    row = FollowUp(title=body.title, kind=body.kind, owner=owner, due=body.due)

    def do() -> int:
        decide.add_follow_up(number, row, by=asking.owner(request))
        return row.pk

    ref, first = asking.once(request, f"follow-up:{number}", key, body, do)
    return Status(201 if first else 200, show.follow_up(_row(ref)))


@router.get("/follow-ups", response=answers({200: FollowUpsPage}, 422))
def follow_ups(request: HttpRequest, filters: Query[FollowUpFilters]) -> Any:
    """Follow-ups of all incidents, newest first."""
    refuse_unknown_query(request, FollowUpFilters)
    api.refuse_unless(request, Verb.VIEW)
    seen = api.visible(request, Incident.objects.all())
    if filters.environment:
        seen = seen.filter(environment=filters.environment)
    seen = seen.filter(is_drill=filters.drill) if filters.drill is not None else seen
    found = FollowUp.objects.filter(incident__in=seen, **filters.dict(exclude_none=True, include={"state", "kind"}))
    found = found.filter(owner__username=filters.owner) if filters.owner else found
    if filters.overdue is not None:
        late = FollowUp.late(timezone.now().date())
        found = found.filter(late) if filters.overdue else found.exclude(late)
    found = found.filter(pk__lt=filters.cursor) if filters.cursor else found
    newest = found.select_related("owner", "created_by", "incident").order_by("-pk")
    return api.page(newest, filters.limit, show.follow_up, lambda row: row.pk)


@router.get("/follow-ups/{follow_up_id}", response=answers({200: FollowUpOut}, 404, 422))
def follow_up(request: HttpRequest, follow_up_id: FollowUpId) -> Any:
    """One follow-up."""
    return show.follow_up(_follow_up(request, follow_up_id, Verb.VIEW))


@router.patch("/follow-ups/{follow_up_id}", response=answers({200: FollowUpOut}, *asking.WRITE))
def change(request: HttpRequest, follow_up_id: FollowUpId, body: FollowUpChangeIn) -> Any:
    """Change what is named: title, kind, owner, date; finish it, drop it or open it again. The rest stays."""
    row = _follow_up(request, follow_up_id, Verb.JOIN)
    by, values = asking.owner(request), _values(body)

    def do() -> None:
        with transaction.atomic():
            changed = work.change(row.pk, values, by=by)
            if body.state and body.state != changed.state:
                decide.set_follow_up_state(row.incident.number, row.pk, body.state, by=by)

    asking.decided(request, do)
    return show.follow_up(_row(follow_up_id))


def _values(body: FollowUpChangeIn) -> dict[str, Any]:
    """What was named; only an owner and a date may be taken away."""
    named = body.dict(exclude_unset=True, exclude={"state"})
    found = {name: value for name, value in named.items() if value is not None or name in ("owner", "due")}
    if "owner" in found:
        found["owner"] = asking.user_named(body.owner, "owner")
    return found


def _row(ref: int) -> FollowUp:
    found = FollowUp.objects.select_related("owner", "created_by", "incident").filter(pk=ref).first()
    if found is None:
        raise Problem(404, "not-found", f"There is no follow-up {ref}.")
    return found


def _follow_up(request: HttpRequest, ref: int, verb: Verb) -> FollowUp:
    found = _row(ref)
    api.refuse_unless(request, verb, environments.get(found.incident.environment))
    return found
