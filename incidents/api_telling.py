"""Telling people outside the room in the JSON API: drafts, a preview, sending once, and what came of it."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Path, Query, Router, Status

from dashboard import overview
from incidents import api_asking as asking
from incidents import api_views as show
from incidents import drafting, room, telling, telling_page
from incidents import incident as decide
from incidents.api_asking import IncidentNumber
from incidents.api_room_schemas import (
    DraftOut,
    MessageFilters,
    MessageOut,
    MessagesPage,
    PagerDutyIn,
    PreviewOut,
    RecordedIn,
    TellIn,
    TextIn,
)
from incidents.api_schemas import IncidentOut
from incidents.models import Incident
from novaops.access.policy import Verb
from novaops.outbox import decisions
from novaops.outbox.models import Message
from novaops.runbook import api
from novaops.runbook.api_document import answers
from novaops.runbook.api_problems import Problem, refuse_unknown_query
from novaops.runbook.api_schemas import RowId

router = Router(tags=["Messages"])
WRITTEN = answers({200: IncidentOut}, *asking.WRITE)
DECISIONS = {
    "check": decisions.check,
    "sent": decisions.mark_sent,
    "again": decisions.send_again,
    "withdraw": decisions.withdraw,
}


@router.get("/incidents/{number}/draft", response=answers({200: DraftOut}, 404, 409, 422))
def draft(request: HttpRequest, number: IncidentNumber) -> Any:
    """The next messages, drafted from what is known now, and the summary for whoever asks."""
    place = asking.place(asking.incident(request, number))
    found = room.find(number).get()
    url = request.build_absolute_uri(found.get_absolute_url())
    steps = room.steps(found, place, overview.shared(place))
    made = telling_page.drafted(found, place, steps, url)
    page = place.status_page is not None
    return {
        "slack": made.slack if place.slack else None,
        "page": made.page if page else None,
        "page_name": made.page_name if page else None,
        "page_status": made.page_status if page else None,
        "pagerduty": telling.at_pagerduty(found) if place.pagerduty else [],
        "closing": [str(content) for _, content in telling.closing(found, place)] if found.is_open else [],
        "summary": drafting.summary(found, place, list(drafting.key_moments(found)), url),
    }


@router.get("/incidents/{number}/messages", response=answers({200: MessagesPage}, 404, 422))
def messages(request: HttpRequest, number: IncidentNumber, filters: Query[MessageFilters]) -> Any:
    """The messages of the incident and of those merged into it, with what came of each, newest first."""
    refuse_unknown_query(request, MessageFilters)
    numbers = asking.incident(request, number).numbers
    found = Message.objects.filter(incident__in=numbers).select_related("requested_by").order_by("-pk")
    found = found.filter(state=filters.state) if filters.state else found
    found = found.filter(pk__lt=filters.cursor) if filters.cursor else found
    return api.page(found, filters.limit, show.message, lambda row: row.pk)


@router.post("/incidents/{number}/messages", response=answers({200: MessagesPage, 201: MessagesPage}, *asking.WRITE))
def tell(request: HttpRequest, number: IncidentNumber, body: TellIn, key: api.Key) -> Any:
    """Queue the messages: 201, or 200 where this token sent the same with this key before. Each is sent once."""
    asking.incident(request, number, Verb.JOIN)
    own, by = asking.own_key(request, key), asking.owner(request)
    said = telling.Said(**body.dict())
    _, first = asking.once(
        request, f"tell:{number}", key, body, lambda: telling.tell(number, said, by=by, key=own).number
    )
    mine = Message.objects.filter(idempotency_key__startswith=f"{number}:{own}:")
    shown = [show.message(row) for row in mine.select_related("requested_by").order_by("-pk")]
    return Status(201 if first else 200, {"items": shown, "next_cursor": None})


@router.post("/incidents/{number}/messages/preview", response=answers({200: list[PreviewOut]}, *asking.WRITE))
def preview(request: HttpRequest, number: IncidentNumber, body: TellIn) -> Any:
    """The messages exactly as they would be queued. Nothing is sent."""
    found = asking.incident(request, number)
    place = asking.place(found)
    planned = asking.answered(lambda: telling.preview(found, place, telling.Said(**body.dict())))
    return [show.planned(fields) for fields in planned]


@router.post("/incidents/{number}/messages/recorded", response=WRITTEN)
def record(request: HttpRequest, number: IncidentNumber, body: RecordedIn, key: api.Key) -> Any:
    """Record what people posted by hand, and where."""
    asking.incident(request, number, Verb.JOIN)
    more: dict[str, Any] = {"url": body.url, "key": asking.own_key(request, key), "by": asking.owner(request)}

    def do() -> int:
        return decide.message(number, body.channel, body.text, **more).number

    asking.once(request, f"recorded:{number}", key, body, do)
    return show.incident(asking.row(number))


@router.post("/incidents/{number}/updates", response=WRITTEN)
def update(request: HttpRequest, number: IncidentNumber, body: TextIn, key: api.Key) -> Any:
    """Tell Slack, or record that people were told where it is not configured; the update timer starts anew."""
    asking.incident(request, number, Verb.JOIN)
    own, by = asking.own_key(request, key), asking.owner(request)

    def do() -> int:
        return telling.update(number, body.text, by=by, key=own).number

    asking.once(request, f"update:{number}", key, body, do)
    return show.incident(asking.row(number))


@router.post("/incidents/{number}/messages/{message_id}/{decision}", response=answers({200: MessageOut}, *asking.WRITE))
def decide_message(
    request: HttpRequest,
    number: IncidentNumber,
    message_id: Annotated[RowId, Path()],
    decision: Literal["check", "sent", "again", "withdraw"],
) -> Any:
    """Look once more whether it arrived, settle that it did, send it again, or withdraw what waits."""
    found = asking.incident(request, number, Verb.JOIN)
    _message(found, message_id)
    asking.decided(request, lambda: DECISIONS[decision](message_id, by=asking.owner(request)))
    return show.message(_message(found, message_id))


@router.put("/incidents/{number}/pagerduty", response=WRITTEN)
def pagerduty(request: HttpRequest, number: IncidentNumber, body: PagerDutyIn) -> Any:
    """Say what the incident is called at PagerDuty."""
    asking.incident(request, number, Verb.JOIN)
    asking.decided(request, lambda: telling.name_at_pagerduty(number, body.name, by=asking.owner(request)))
    return show.incident(asking.row(number))


def _message(incident: Incident, ref: int) -> Message:
    found = Message.objects.filter(incident__in=incident.numbers, pk=ref).select_related("requested_by").first()
    if found is None:
        raise Problem(404, "not-found", f"{incident.name} has no message {ref}.")
    return found
