"""Telling people outside the room: queued in the outbox with the decision, and what came of it on the timeline."""

import re
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Greatest
from django.shortcuts import get_object_or_404
from django.utils import timezone

from dashboard.models import Witness
from incidents import drafting, drills
from incidents import incident as decide
from incidents.guard import Refused, locked, where
from incidents.models import Elsewhere, Incident, Link
from incidents.timeline import Kind, append, publish
from novaops.access.policy import Verb
from novaops.audit import chain
from novaops.environment import Environment
from novaops.outbox.models import Message
from novaops.outbox.posting import Content, NotConfigured, PagerDutyChange, PageStatus, PageUpdate, SlackText, post

# The channels of the timeline by the outbox's kinds.
CHANNELS = {Message.Kind.SLACK: "slack", Message.Kind.STATUSPAGE: "status-page", Message.Kind.PAGERDUTY: "pagerduty"}

OF_INCIDENT = re.compile(r"incident:(\d+):")


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is to be told where; an empty text tells nothing there. `pagerduty` acknowledges there and notes `slack`."""

    slack: str = ""
    page: str = ""
    page_name: str = ""
    page_status: PageStatus = "investigating"
    pagerduty: bool = False


@transaction.atomic
def tell(number: int, said: Said, *, by: User, key: str) -> Incident:
    """Queue the messages, once for each `key`. Raises Refused where nothing is said or a system is not configured."""
    incident, place = locked(number, by=by, verb=Verb.JOIN)
    contents = _contents(incident, place, said)
    if not contents:
        raise Refused("Write at least one message.")
    if why := silenced(incident, place):
        raise Refused(why)
    try:
        messages = [queue(incident, place, kind, content, by, key) for kind, content in contents]
    except NotConfigured as failure:
        raise Refused(str(failure)) from failure
    publish(incident)
    _record(incident, by, messages)
    return incident


def preview(incident: Incident, place: Environment, said: Said) -> list[dict[str, Any]]:
    """The fields of the messages as `tell` would queue them. Raises Refused where it would."""
    if why := silenced(incident, place):
        raise Refused(why)
    contents = [(kind, _marked(incident, content)) for kind, content in _contents(incident, place, said)]
    try:
        return [content.fields(place, lane(incident, kind)) for kind, content in contents]
    except NotConfigured as failure:
        raise Refused(str(failure)) from failure


def update(number: int, text: str, *, by: User, key: str) -> Incident:
    """Tell Slack; where it is not configured, record that people were told."""
    place = where(get_object_or_404(Incident, number=number))
    if place.slack is None:
        return decide.message(number, "update", text, by=by, key=key)
    return tell(number, Said(slack=text), by=by, key=key)


def resolve(incident: Incident, place: Environment, *, by: User) -> None:
    """Tell everybody who was told of it that it is over, and close it at PagerDuty; in the resolving transaction."""
    key = f"resolved:{incident.number}:{timezone.now().isoformat()}"
    messages = [queue(incident, place, kind, content, by, key) for kind, content in closing(incident, place)]
    if messages:
        _record(incident, by, messages)


def silenced(incident: Incident, place: Environment) -> str:
    """Why nothing leaves about it: it is a drill, and something real is within reach; empty where messages may."""
    return drills.refusal(place) if incident.is_drill else ""


def objection(message: Message) -> str:
    """Why a message must not leave any more: it is a drill's, and something real came within reach since."""
    owner = OF_INCIDENT.match(message.lane)
    incident = Incident.objects.filter(number=int(owner[1]), is_drill=True).first() if owner else None
    return silenced(incident, where(incident)) if incident else ""


def closing(incident: Incident, place: Environment) -> list[tuple[str, Content]]:
    """What resolving will tell: only where something was told before, and only what is configured."""
    if silenced(incident, place):
        return []
    told = set(
        Message.objects.filter(incident=incident.number).exclude(state="failed").values_list("kind", "operation")
    )
    draft = drafting.draft(incident, place, [])
    contents: list[tuple[str, Content]] = []
    if place.slack and (Message.Kind.SLACK, "post") in told:
        contents.append(("slack", SlackText(text=_over(incident), reply=True)))
    if place.status_page and (Message.Kind.STATUSPAGE, "create") in told:
        states = drafting.components(incident, "resolved")
        text = drafting.PAGE_WORDS["resolved"].format(what=draft.what)
        contents.append(
            ("page", PageUpdate(name=draft.page_name, status="resolved", text=text, services=states)),
        )
    if place.pagerduty:
        contents += [(f"pd:{name}", PagerDutyChange(incident=name, what="resolve")) for name in at_pagerduty(incident)]
    return [(kind, _marked(incident, content)) for kind, content in contents]


def at_pagerduty(incident: Incident) -> list[str]:
    """The incidents at PagerDuty that belong to it: those of its alerts, and the one that a person named."""
    alerts = incident.links.filter(kind=Link.Kind.ALERT).values("ref")
    seen = Witness.objects.filter(alert__in=alerts, source=Witness.Source.PAGERDUTY).values_list("name", flat=True)
    named = Elsewhere.objects.filter(incident=incident).values_list("pagerduty", flat=True)
    lanes = [lane(one, "pd") for one in incident.merged.only("number")]
    over = Message.objects.filter(lane__in=lanes, operation="resolve").exclude(state=Message.State.FAILED)
    return sorted({*seen, *named} - set(over.values_list("address", flat=True)))


@transaction.atomic
def name_at_pagerduty(number: int, name: str, *, by: User) -> Incident:
    """Say what the incident is called at PagerDuty; an empty name takes it away."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    if name and not (name.isalnum() and name.isascii() and len(name) <= 60):
        raise Refused("An incident's id at PagerDuty has letters and digits only, as in Q1K2V3.")
    if name:
        Elsewhere.objects.update_or_create(incident=incident, defaults={"pagerduty": name})
    else:
        Elsewhere.objects.filter(incident=incident).delete()
    publish(incident)
    chain.record(
        "incident.pagerduty",
        by=by,
        subject=str(incident),
        environment=incident.environment,
        incident=number,
        detail={"pagerduty": name},
    )
    return incident


def told(incident: Incident) -> list[Message]:
    """What was queued for it and for those merged into it, the newest first."""
    found = Message.objects.filter(incident__in=incident.numbers).select_related("requested_by")
    return list(found.order_by("-pk")[:30])


def on_message_changed(message: Message) -> None:
    """Put what came of a message on the timeline: that it was sent, or what keeps it from being so."""
    incident = _of(message)
    if incident is None:
        return
    where, by = CHANNELS[Message.Kind(message.kind)], message.requested_by
    data = {"channel": where, "message": message.pk}
    name, key = message.get_kind_display(), f"message:{message.pk}"
    if message.state == Message.State.SENT:
        text = f"{name}: {_words(message)}"
        at = message.outcome_at or timezone.now()
        append(incident, Kind.MESSAGE, text, by=by, at=at, url=_link(message), data=data, dedup_key=f"{key}:sent")
        if message.kind != Message.Kind.PAGERDUTY:
            Incident.objects.filter(pk=incident.pk).update(told_at=Greatest("told_at", Value(at)))
    elif message.state in (Message.State.FAILED, Message.State.UNKNOWN):
        text = f"{name} message {'not sent' if message.state == 'failed' else 'perhaps not sent'}: {message.sentence}"
        append(incident, Kind.STATE, text, data=data, dedup_key=f"{key}:{message.state}:{message.lease_token}")
    elif message.sentence and message.attempts:
        text = f"{name} message is waiting: {message.sentence}"
        append(incident, Kind.STATE, text, data=data, dedup_key=f"{key}:waiting")


def _of(message: Message) -> Incident | None:
    """The incident that a message tells of; the one it was merged into, if it was."""
    if message.incident is None:
        return None
    found = Incident.objects.filter(number=message.incident).select_related("merged_into").first()
    return found.merged_into or found if found else None


def _contents(incident: Incident, place: Environment, said: Said) -> list[tuple[str, Content]]:
    contents: list[tuple[str, Content]] = []
    if said.slack.strip():
        contents.append(("slack", SlackText(text=said.slack.strip(), reply=has_thread(incident))))
    if said.page.strip():
        states = drafting.components(incident, said.page_status)
        name = said.page_name.strip() or drafting.draft(incident, place, []).page_name
        update = PageUpdate(name=name, status=said.page_status, text=said.page.strip(), services=states)
        contents.append(("page", update))
    for name in at_pagerduty(incident) if said.pagerduty else []:
        contents.append((f"pd:{name}", PagerDutyChange(incident=name, what="acknowledge")))
        if said.slack.strip():
            contents.append((f"pd-note:{name}", PagerDutyChange(incident=name, what="note", text=said.slack.strip())))
    return contents


def has_thread(incident: Incident) -> bool:
    """Whether a first message opened, or will open, the incident's thread."""
    opening = Q(lane=lane(incident, "slack"), operation="post")
    return Message.objects.filter(opening).exclude(state=Message.State.FAILED).exists()


def lane(incident: Incident, kind: str) -> str:
    """The lane of an incident's messages to one system."""
    system, _, _ = kind.replace("-", ":").partition(":")
    return f"incident:{incident.number}:{system}"


def queue(
    incident: Incident,
    place: Environment,
    kind: str,
    content: Content,
    by: User,
    key: str,
    *,
    of: Incident | None = None,
) -> Message:
    """Queue a message of the incident; `of` is the one merged into it whose thread or entry it belongs to."""
    whose = of or incident
    return post(
        _marked(incident, content),
        environment=place,
        key=f"{whose.number}:{key}:{kind}",
        subject=str(whose),
        lane=lane(whose, kind),
        by=by,
        incident=incident.number,
    )


def _marked(incident: Incident, content: Content) -> Content:
    """With the mark of a drill before every text that leaves."""
    text = drafting.marked(incident, content.text)
    if isinstance(content, PageUpdate):
        return replace(content, name=drafting.marked(incident, content.name), text=text)
    return replace(content, text=text)


def _record(incident: Incident, by: User, messages: list[Message]) -> None:
    chain.record(
        "incident.told",
        by=by,
        subject=str(incident),
        environment=incident.environment,
        incident=incident.number,
        detail={"messages": [message.pk for message in messages]},
    )


def _over(incident: Incident) -> str:
    return f"{incident.name} {incident.title}: resolved."


def _words(message: Message) -> str:
    """What a message said; a change of state at PagerDuty has no text."""
    if message.kind == Message.Kind.STATUSPAGE:
        return f"{message.payload['status']}. {message.text}"
    return message.text or f"{message.operation}d {message.address}"


def _link(message: Message) -> str:
    if message.kind == Message.Kind.SLACK and message.response.get("ts"):
        found = message.response
        return f"https://slack.com/app_redirect?channel={found['channel']}&message_ts={found['ts']}"
    return ""
