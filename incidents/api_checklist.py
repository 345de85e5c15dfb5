"""The checklist and the roles of an incident in the JSON API: what closes on evidence does so here too."""

from collections.abc import Callable
from typing import Annotated, Any, Protocol

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import Path, Router, Schema

from dashboard import overview
from incidents import api_asking as asking
from incidents import api_views as show
from incidents import checklist, drafting, room
from incidents import incident as decide
from incidents.api_asking import IncidentNumber
from incidents.api_room_schemas import (
    ItemOut,
    NoActionIn,
    OwnerIn,
    ReasonIn,
    RoleIn,
    RolesOut,
    StepName,
    StepOut,
    TickIn,
)
from incidents.api_schemas import IncidentOut
from incidents.models import ChecklistItem, Incident
from incidents.steps import StepKey
from novaops.access.policy import Verb
from novaops.runbook import api
from novaops.runbook.api_document import answers
from novaops.runbook.api_problems import Problem
from novaops.runbook.api_schemas import RowId

router = Router(tags=["Checklist and roles"])
WRITTEN = answers({200: IncidentOut}, *asking.WRITE)
Ref = Annotated[RowId, Path()]


@router.get("/incidents/{number}/steps", response=answers({200: list[StepOut]}, 404, 409, 422))
def steps(request: HttpRequest, number: IncidentNumber) -> Any:
    """The six steps with their parts, what proves each, and all that an open one lacks."""
    place = asking.place(asking.incident(request, number))
    found = room.find(number).prefetch_related("steps__items__done_by").get()
    return [show.step_of(step) for step in room.steps(found, place, overview.shared(place))]


@router.post("/incidents/{number}/steps/{step}/complete", response=WRITTEN)
def complete(request: HttpRequest, number: IncidentNumber, step: StepName, key: api.Key) -> Any:
    """Close a step on its evidence; 409 with all `reasons` while something is missing.

    `resolve` resolves the incident, tells everybody who was told of it, and needs the scope `command:incidents`.
    """
    verb = Verb.COMMAND if StepKey(step) is StepKey.RESOLVE else Verb.JOIN
    return _step(request, number, step, key, verb, "complete", None, lambda by: checklist.complete(number, step, by=by))


@router.post("/incidents/{number}/steps/{step}/override", response=WRITTEN)
def override(request: HttpRequest, number: IncidentNumber, step: StepName, body: ReasonIn, key: api.Key) -> Any:
    """Close a step without its evidence, in the owner's name. Needs the scope `command:incidents`."""
    return _with_reason(request, number, step, key, "override", body, checklist.override)


@router.post("/incidents/{number}/steps/{step}/skip", response=WRITTEN)
def skip(request: HttpRequest, number: IncidentNumber, step: StepName, body: ReasonIn, key: api.Key) -> Any:
    """Say that a step is not done, and why; of `postmortem`, that none is owed. Needs the scope `command:incidents`."""
    return _with_reason(request, number, step, key, "skip", body, checklist.skip)


@router.post("/incidents/{number}/steps/{step}/reopen", response=WRITTEN)
def reopen(request: HttpRequest, number: IncidentNumber, step: StepName, body: ReasonIn, key: api.Key) -> Any:
    """Open a closed step again; `resolve` opens the incident again. Needs the scope `command:incidents`."""
    return _with_reason(request, number, step, key, "reopen", body, checklist.reopen_step)


@router.put("/incidents/{number}/steps/{step}/owner", response=WRITTEN)
def owner(request: HttpRequest, number: IncidentNumber, step: StepName, body: OwnerIn) -> Any:
    """Say who sees to a step."""
    asking.incident(request, number, Verb.JOIN)
    user = asking.user_named(body.owner, "owner")
    asking.decided(request, lambda: checklist.set_owner(number, step, user, by=asking.owner(request)))
    return show.incident(asking.row(number))


@router.put("/incidents/{number}/items/{item_id}", response=answers({200: ItemOut}, *asking.WRITE))
def tick(request: HttpRequest, number: IncidentNumber, item_id: Ref, body: TickIn) -> Any:
    """Tick a part of a step, or untick it."""
    found = asking.incident(request, number, Verb.JOIN)
    there = ChecklistItem.objects.filter(step__incident=found, pk=item_id)
    if not there.exists():
        raise Problem(404, "not-found", f"{found.name} has no item {item_id}.")
    if there.filter(done_at__isnull=body.done).exists():
        asking.decided(request, lambda: checklist.tick(number, item_id, body.done, by=asking.owner(request)))
    return show.item(there.select_related("done_by").get())


@router.post("/incidents/{number}/no-action", response=WRITTEN)
def no_action(request: HttpRequest, number: IncidentNumber, body: NoActionIn, key: api.Key) -> Any:
    """Note why no action was needed, which Mitigate takes instead of a run."""
    asking.incident(request, number, Verb.JOIN)
    own, by = asking.own_key(request, key), asking.owner(request)
    what = f"no-action:{number}"
    asking.once(request, what, key, body, lambda: checklist.no_action(number, body.why, by=by, key=own).number)
    return show.incident(asking.row(number))


@router.get("/incidents/{number}/roles", response=answers({200: RolesOut}, 404, 409, 422))
def roles(request: HttpRequest, number: IncidentNumber) -> Any:
    """Who commands, who holds or held another role, and the summary that a hand-over carries."""
    return _roles(asking.incident(request, number))


@router.post("/incidents/{number}/roles", response=answers({200: RolesOut}, *asking.WRITE))
def give_role(request: HttpRequest, number: IncidentNumber, body: RoleIn, key: api.Key) -> Any:
    """Take a role, give it to somebody, or hand command over with a summary.

    All but becoming a responder oneself needs the scope `command:incidents`.
    """
    by = asking.owner(request)
    joins = body.role == "responder" and body.user in (None, by.get_username())
    asking.incident(request, number, Verb.JOIN if joins else Verb.COMMAND)
    user = asking.user_named(body.user, "user") or by

    def do() -> int:
        if body.role == "commander":
            return decide.set_commander(number, user, by=by, note=body.note).number
        return decide.set_role(number, body.role, user, by=by).number

    asking.once(request, f"role:{number}", key, body, do)
    return _roles(asking.row(number))


@router.post("/incidents/{number}/roles/{role_id}/end", response=answers({200: RolesOut}, *asking.WRITE))
def end_role(request: HttpRequest, number: IncidentNumber, role_id: Ref) -> Any:
    """End a role; that of somebody else needs the scope `command:incidents`. Ended, it stays as it is."""
    found, by = asking.incident(request, number, Verb.JOIN), asking.owner(request)
    held = found.roles.filter(pk=role_id).first()
    if held is None:
        raise Problem(404, "not-found", f"{found.name} has no role {role_id}.")
    if held.user_id != by.pk:
        asking.incident(request, number, Verb.COMMAND)
    asking.decided(request, lambda: decide.end_role(number, role_id, by=by))
    return _roles(found)


def _roles(found: Incident) -> dict[str, Any]:
    entries = drafting.key_moments(found)
    return {
        "commander": show.name(found.commander),
        "roles": [show.role(row) for row in found.roles.select_related("user")],
        "summary": drafting.summary(found, asking.place(found), entries),
    }


class Decision(Protocol):
    """A decision on a step that needs a reason."""

    def __call__(self, number: int, key: str, reason: str, *, by: User) -> Incident: ...


def _with_reason(
    request: HttpRequest, number: int, step: str, key: str, what: str, body: ReasonIn, decision: Decision
) -> dict[str, Any]:
    def do(by: User) -> Incident:
        return decision(number, step, body.reason, by=by)

    return _step(request, number, step, key, Verb.COMMAND, what, body, do)


def _step(
    request: HttpRequest,
    number: int,
    step: str,
    key: str,
    verb: Verb,
    what: str,
    body: Schema | None,
    do: Callable[[User], Incident],
) -> dict[str, Any]:
    asking.incident(request, number, verb)
    by = asking.owner(request)
    asking.once(request, f"{what}:{number}:{step}", key, body, lambda: do(by).number)
    return show.incident(asking.row(number))
