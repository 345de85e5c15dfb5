"""How a message's delivery becomes known: to open pages, to other apps, and to the audit chain."""

from django.contrib.auth.models import User

from novaops import live
from novaops.audit import chain
from novaops.outbox.models import Message
from novaops.outbox.signals import message_changed


def announce(message: Message) -> None:
    """Tell open pages and other apps that the message moved on."""
    if message.incident is not None:
        live.publish(f"incident:{message.incident}")
    message_changed.send(Message, message=message)


def record(message: Message, verb: str, *, by: User | None = None, reason: str = "") -> None:
    """Write an audit entry about the message; by None for the worker itself."""
    chain.record(
        verb,
        by=by,
        subject=str(message),
        environment=message.environment,
        via="page" if by else "outbox",
        reason=reason,
        incident=message.incident,
        detail={
            "message": message.pk,
            "kind": message.kind,
            "operation": message.operation,
            "address": message.address,
            "attempts": message.attempts,
            "sentence": message.sentence,
            "response": message.response,
        },
    )
