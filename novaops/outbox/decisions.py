"""What people decide about a message that was not sent, or of which nobody knows: look again, settle it, send again."""

from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from novaops.outbox import doorbell
from novaops.outbox.models import KEPT_FOR, Message
from novaops.outbox.records import announce, record

State = Message.State


class Refused(Exception):
    """The decision does not fit where the message stands by now; the message is a sentence for people."""


@transaction.atomic
def check(message_id: int, *, by: User) -> Message:
    """Let a worker look once more whether it arrived; nothing is sent."""
    message = _locked(message_id, State.UNKNOWN)
    message.state, message.only_look, message.next_at = State.SENDING, True, timezone.now()
    return _decided(message, "message.check", by, ring=True)


@transaction.atomic
def mark_sent(message_id: int, *, by: User) -> Message:
    """Settle that it arrived, by name."""
    message = _locked(message_id, State.UNKNOWN)
    message.state, message.sentence = State.SENT, f"{by} saw that it arrived."
    return _decided(message, "message.marked_sent", by)


@transaction.atomic
def send_again(message_id: int, *, by: User) -> Message:
    """Send it anew, by name: whoever asks has looked, or what stood in the way is mended."""
    message = _locked(message_id, State.UNKNOWN, State.FAILED)
    message.state, message.sentence, message.attempts = State.QUEUED, f"{by} asked for it to be sent again", 0
    message.signed_at, message.answered, message.next_at = None, False, timezone.now()
    message.expires_at = timezone.now() + KEPT_FOR
    return _decided(message, "message.again", by, ring=True)


@transaction.atomic
def withdraw(message_id: int, *, by: User) -> Message:
    """Do not send it after all, as long as nothing was sent."""
    message = _locked(message_id, State.QUEUED)
    message.state, message.sentence = State.FAILED, f"Withdrawn by {by}. Nothing was sent."
    return _decided(message, "message.withdrawn", by)


def _locked(message_id: int, *states: Message.State) -> Message:
    message = Message.objects.select_for_update().get(pk=message_id)
    if message.state not in states:
        raise Refused(f"The message is {message.get_state_display().lower()} by now: nothing was changed.")
    return message


def _decided(message: Message, verb: str, by: User, *, ring: bool = False) -> Message:
    """Take the message from whoever carries it, and tell what was decided."""
    message.lease_token += 1
    message.lease_until, message.lease_owner = None, ""
    message.save()
    if message.over:
        Message.objects.filter(pk=message.pk).update(outcome_at=Now())
    announce(message)
    if ring:
        transaction.on_commit(partial(doorbell.ring, message.pk))
    record(message, verb, by=by)
    return message
