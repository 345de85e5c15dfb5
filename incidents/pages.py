"""What the views of incidents share: the incident of the address, the user, and how a refusal is shown."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from dashboard.context_processors import ON_REQUEST
from incidents import entries, frozen, presence
from incidents.entries import SHOWS
from incidents.forms import OwnerForm, of_step
from incidents.guard import Refused, where
from incidents.models import ChecklistStep, Incident
from incidents.room import build, find
from incidents.steps import STEP, StepKey
from incidents.telling import told
from incidents.telling_page import of_step as of_telling
from novaops import environment as environments
from novaops.access.decorators import user_of
from novaops.runbook import undo

View = Callable[..., HttpResponse]
LONGEST_KEY = 80
LONGEST_NUMBER = 18


class Merged(Exception):
    """The incident of the address is a part of another one, `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"merged into {number}")
        self.number = number


def incident_of(number: int, rows: Callable[[int], QuerySet[Incident]] = find) -> Incident:
    """The incident of the address, or 404. Raises Merged where it is a part of another one."""
    found = get_object_or_404(rows(number))
    if found.merged_into:
        raise Merged(found.merged_into.number)
    return found


def alone(number: int) -> QuerySet[Incident]:
    """The incident of that number, without what its pages show of it."""
    return Incident.objects.filter(number=number).select_related("merged_into")


def follows_merge(view: View) -> View:
    """Lead from the pages of a merged incident to the same page of the one it became a part of."""

    @wraps(view)
    def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, **kwargs)
        except Merged as merged:
            old, kwargs["number"] = kwargs["number"], merged.number
            sentence = f"INC-{old} was merged into INC-{merged.number}: you were led here."
            if request.method != "GET":
                messages.error(request, f"{sentence} Nothing was written.")
                return redirect("incidents:room", merged.number)
            messages.info(request, sentence)
            page = request.resolver_match.view_name if request.resolver_match else "incidents:room"
            return HttpResponseRedirect(reverse(page, kwargs=kwargs))

    return wrapped


def environment_named(name: str | None) -> environments.Environment:
    """The environment of that name, the first declared where none is named, or 404."""
    found = environments.get(name) if name else environments.default()
    if found is None:
        raise Http404(f"There is no environment {name!r}.")
    return found


def whole(typed: str) -> int | None:
    """The number that was typed; None where it is none, or larger than that of any row."""
    return int(typed) if typed.isdecimal() and len(typed) <= LONGEST_NUMBER else None


def form_key(request: HttpRequest) -> str:
    """The key of the form that was sent, so that sending it twice writes once."""
    return f"form:{request.POST['key']}"[:LONGEST_KEY] if request.POST.get("key") else ""


def shows_refusal(view: View) -> View:
    """Show the room (or the step the address names) again with the reasons and what was typed, as 409."""

    @wraps(view)
    def wrapped(request: HttpRequest, number: int, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, number, *args, **kwargs)
        except Refused as refusal:
            return refused(request, number, refusal, kwargs.get("key", ""))

    return wrapped


def refused(request: HttpRequest, number: int, refusal: Refused, key: str = "") -> HttpResponse:
    """The page where the decision was asked for, with why it was not taken."""
    context = room_context(request, incident_of(number)) | {"refusal": refusal, "typed": request.POST}
    if key not in STEP:
        return render(request, "incidents/room.html", context, status=409)
    return render(request, "incidents/step.html", context | step_context(context, key), status=409)


def to_checklist(incident: Incident) -> HttpResponse:
    """To the room, with the focus on the step that comes next."""
    following = incident.steps.filter(state=ChecklistStep.State.OPEN).values_list("key", flat=True).first()
    return redirect(incident.get_absolute_url() + (f"#go-{following}" if following else ""))


def to_step(number: int, key: str, place: str = "proof") -> HttpResponse:
    """To the page of a step, with the focus on a place of it."""
    return redirect(f"{reverse('incidents:step', args=[number, key])}#{place}")


def room_context(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """The context of the room's templates."""
    show, until = request.GET.get("show", ""), request.GET.get("until", "")
    edge = entries.told_after(incident, until) if until else whole(request.GET.get("before", ""))
    # Read before the evidence: what is sent in between still counts as on its way, so that the page asks again.
    so_far = told(incident)
    room = build(incident, where(incident), user_of(request), show, edge)
    # The bar of the page shows the same snapshot, without reading it again.
    setattr(request, ON_REQUEST, room.shown)
    url = request.build_absolute_uri(incident.get_absolute_url())
    shared = {"incident": incident, "room": room, "typed": {}, "key": uuid.uuid4(), "shows": SHOWS}
    shared["here"] = presence.here(incident, user_of(request))
    return {**shared, "told": so_far, "can_join": room.can_join, "url": url}


def step_context(context: dict[str, Any], key: str) -> dict[str, Any]:
    """What the page of one step adds to the room's context."""
    incident: Incident = context["incident"]
    step = next(step for step in context["room"].steps if step.row.key == key)
    changed = undo.of_incident(*incident.numbers) if key == StepKey.RESOLVE else ()
    more = of_step(incident, key) | of_telling(context, key)
    so_far, may = context["told"], bool(context["can_join"])
    return {"step": step, "words": step.row.words, "changed": changed, **more} | {
        "items": step.row.items.select_related("done_by"),
        # The one thing that the page leads to: closing the step, or what must come before.
        "close_next": may and (not step.missing or key == StepKey.RESOLVE),
        "tell_next": incident.is_open and (not step.row.is_open or bool(step.missing and not so_far)),
        "sending": any(not message.over for message in so_far),
        "frozen": frozen.latest(incident) if key == StepKey.ASSESS else None,
        "excerpts": frozen.excerpts(incident) if key == StepKey.ASSESS else (),
        "owner_form": OwnerForm(initial={"owner": step.row.owner}),
        "may_skip": key != StepKey.RESOLVE and (key != StepKey.POSTMORTEM or not incident.grade.owes_postmortem),
    }
