"""How each kind of message is sent and found again: the one place that knows which system takes what."""

from collections.abc import Callable
from typing import Any

from novaops import environment as environments
from novaops.cloud import pagerduty, slack, statuspage
from novaops.cloud.errors import NotSent, Refused
from novaops.environment import Environment
from novaops.outbox.models import Message

Fence = Callable[[], bool]
Response = dict[str, Any]
PAGERDUTY_STATES = {"acknowledge": "acknowledged", "resolve": "resolved"}
# These set an absolute state: sent twice, they say the same.
CONVERGING = frozenset({"edit", *PAGERDUTY_STATES})
# Who may object to a message right before it is sent; an empty sentence lets it pass.
objections: list[Callable[[Message], str]] = []
UNDECIDED = (Message.State.QUEUED, Message.State.SENDING, Message.State.UNKNOWN)


def send(message: Message, fence: Fence) -> Response:
    """Send it now, once; what the other side calls it. Raises Refused, NotSent, Ambiguous or Fenced."""
    for objects in objections:
        if sentence := objects(message):
            raise Refused(sentence)
    return SEND[Message.Kind(message.kind)](message, _environment(message), fence)


def find(message: Message) -> Response | None:
    """What the other side calls it, where it has it; None where it was looked for and is not there.

    Raises an OutsideError where looking failed.
    """
    return FIND[Message.Kind(message.kind)](message, _environment(message))


def _environment(message: Message) -> Environment:
    found = environments.get(message.environment)
    if found is None or getattr(found, CONFIGURED[Message.Kind(message.kind)]) is None:
        raise Refused(f"{message.get_kind_display()} is not configured for {message.environment} any more")
    return found


def _first(message: Message) -> Message | None:
    """The message that opened the thread, or the incident on the page: the lane's first that was sent."""
    opening = Message.objects.filter(lane=message.lane, kind=message.kind, operation__in=["post", "create"])
    return opening.filter(state=Message.State.SENT).exclude(response={}).first() if message.lane else None


# Slack.


def _send_slack(message: Message, environment: Environment, fence: Fence) -> Response:
    if environment.slack is None:
        raise Refused("Slack is not configured")
    first = _first(message) if message.operation != "post" else None
    text = str(message.payload["text"])
    if message.operation == "edit" and first:
        where = slack.Posted(channel=first.response["channel"], ts=first.response["ts"])
        posted = slack.change(environment.slack, posted=where, text=text, fence=fence)
    else:
        # Without the thread's beginning, people read it in the channel itself rather than not at all.
        posted = slack.post(
            environment.slack,
            channel=first.response["channel"] if first else message.address,
            text=text,
            uid=str(message.uid),
            fence=fence,
            thread_ts=first.response["ts"] if first else "",
        )
    return {"channel": posted.channel, "ts": posted.ts}


def _find_slack(message: Message, environment: Environment) -> Response | None:
    if environment.slack is None or message.signed_at is None:
        return None
    first = _first(message) if message.operation == "reply" else None
    posted = slack.find(
        environment.slack,
        channel=first.response["channel"] if first else message.address,
        uid=str(message.uid),
        since=message.signed_at,
        thread_ts=first.response["ts"] if first else "",
    )
    return {"channel": posted.channel, "ts": posted.ts} if posted else None


# The status page.


def _send_page(message: Message, environment: Environment, fence: Fence) -> Response:
    if environment.status_page is None:
        raise Refused("The status page is not configured")
    said = message.payload
    update = statuspage.Update(
        name=said["name"],
        status=said["status"],
        body=said["body"],
        components=said["components"],
        notify=said["notify"],
    )
    page, uid = environment.status_page, str(message.uid)
    if message.operation == "create":
        return {"id": statuspage.create(page, message.address, update, uid=uid, fence=fence)}
    incident = _opened(message)
    statuspage.change(page, message.address, incident, update, uid=uid, fence=fence)
    return {"id": incident}


def _opened(message: Message) -> str:
    """The incident on the page that an update belongs to."""
    if first := _first(message):
        return str(first.response["id"])
    opening = Message.objects.filter(lane=message.lane, kind=message.kind, operation="create", state__in=UNDECIDED)
    if opening.exists():
        raise NotSent("It waits until somebody has decided whether the page's incident was opened")
    raise Refused("The page has no incident that could be updated: post a first update")


def _find_page(message: Message, environment: Environment) -> Response | None:
    if environment.status_page is None:
        return None
    incident = statuspage.find(environment.status_page, message.address, uid=str(message.uid))
    return {"id": incident} if incident else None


# PagerDuty.


def _send_pagerduty(message: Message, environment: Environment, fence: Fence) -> Response:
    if environment.pagerduty is None:
        raise Refused("PagerDuty is not configured")
    if message.operation == "note":
        return {"id": pagerduty.add_note(environment.pagerduty, message.address, _note(message), fence=fence)}
    status = PAGERDUTY_STATES[message.operation]
    pagerduty.set_status(environment.pagerduty, message.address, status, fence=fence)
    return {"status": status}


def _find_pagerduty(message: Message, environment: Environment) -> Response | None:
    if environment.pagerduty is None:
        return None
    if message.operation == "note":
        found = pagerduty.find_note(environment.pagerduty, message.address, _note(message))
        return {"id": found} if found else None
    status = pagerduty.status(environment.pagerduty, message.address)
    return {"status": status} if status in (PAGERDUTY_STATES[message.operation], "resolved") else None


def _note(message: Message) -> str:
    """The note's text with the message's number, by which it is found again."""
    return f"{message.payload['text'][: pagerduty.LONGEST_NOTE - 60]} (NovaOps message {message.uid.hex[:12]})"


CONFIGURED = {
    Message.Kind.SLACK: "slack",
    Message.Kind.STATUSPAGE: "status_page",
    Message.Kind.PAGERDUTY: "pagerduty",
}
SEND: dict[Message.Kind, Callable[[Message, Environment, Fence], Response]] = {
    Message.Kind.SLACK: _send_slack,
    Message.Kind.STATUSPAGE: _send_page,
    Message.Kind.PAGERDUTY: _send_pagerduty,
}
FIND: dict[Message.Kind, Callable[[Message, Environment], Response | None]] = {
    Message.Kind.SLACK: _find_slack,
    Message.Kind.STATUSPAGE: _find_page,
    Message.Kind.PAGERDUTY: _find_pagerduty,
}
