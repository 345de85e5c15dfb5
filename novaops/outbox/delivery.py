"""Delivers messages, each at most once: the intent is committed before it is sent, the moment of sending right before.

A worker may die anywhere. A message found with a moment of sending and no outcome is looked for at the other side
before anything else, as the engine does for effects (docs/architecture.md).
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from novaops.cloud.errors import Ambiguous, Fenced, NotSent, OutsideError, Refused
from novaops.outbox import channels, leases
from novaops.outbox.leases import Lease
from novaops.outbox.models import Message
from novaops.outbox.records import announce, record

logger = logging.getLogger(__name__)

State = Message.State
# In how many seconds a message is due again; OVER where no worker has anything left to do.
After = float | None
OVER: After = None
LOOK_AGAIN_S = 2.0
# A list may lag behind what was written: so long nothing is taken for absent.
SETTLE_S = 10
# What left and was not answered may still arrive; after so long without a trace a person decides.
LOOK_FOR_S = 60
LONGEST_WAIT_S = 300.0


def deliver(message_id: int) -> After:
    """Make one attempt, or look for an earlier one; the seconds until the next, None where there is none."""
    lease = leases.claim(message_id)
    if lease is None:
        return OVER
    message = Message.objects.get(pk=message_id)
    try:
        return _looked_for(message, lease) if message.signed_at else _sent(message, lease)
    except (leases.Lost, Fenced):
        logger.warning("Message %s: the lease was lost, another worker carries on", message_id)
        return OVER
    except Exception as failure:
        logger.exception("Message %s: its delivery broke", message_id)
        return _survive(message, lease, failure)


def _sent(message: Message, lease: Lease) -> After:
    if lease.now() > message.expires_at:
        last = f" The last attempt: {message.sentence}." if message.sentence else ""
        return _end(message, lease, State.FAILED, f"It could not be delivered in time and was given up.{last}")
    with transaction.atomic(durable=True):
        message.attempts += 1
        lease.write(state=State.SENDING, intent_at=Now(), answered=False, attempts=message.attempts)
    try:
        response = channels.send(message, lease.sign)
    except Refused as failure:
        return _end(message, lease, State.FAILED, str(failure))
    except NotSent as failure:
        return _again(message, lease, str(failure), failure.retry_after_s)
    except Ambiguous as failure:
        return _wait(message, lease, f"{failure}; looking whether it arrived", answered=failure.answered)
    return _end(message, lease, State.SENT, "", response=response)


def _looked_for(message: Message, lease: Lease) -> After:
    try:
        response = channels.find(message)
    except OutsideError as failure:
        return _not_looked(message, lease, failure)
    if response is not None:
        return _end(message, lease, State.SENT, "Found to have arrived.", response=response)
    waited_s = _waited_s(message, lease)
    if message.only_look:
        return _give_up(message, lease)
    if waited_s > SETTLE_S and (message.operation in channels.CONVERGING or message.answered):
        return _again(message, lease, "The last attempt did not arrive", None)
    if waited_s > LOOK_FOR_S:
        return _give_up(message, lease)
    return _wait(message, lease, message.sentence)


def _not_looked(message: Message, lease: Lease, failure: OutsideError) -> After:
    """Looking failed, which proves nothing: look again, unless that is refused or nobody waits any more."""
    if isinstance(failure, Refused) or message.only_look or lease.now() > message.expires_at:
        return _give_up(message, lease, f" Looking failed, too: {failure}.")
    sentence = f"It was sent and nobody answered. {failure}; looking again"
    return _wait(message, lease, sentence, after_s=min(2 + _waited_s(message, lease) / 4, 60))


def _waited_s(message: Message, lease: Lease) -> float:
    return (lease.now() - (message.signed_at or lease.now())).total_seconds()


def _again(message: Message, lease: Lease, sentence: str, retry_after_s: float | None) -> After:
    """Nothing was sent: wait, then make another attempt."""
    after_s = retry_after_s if retry_after_s is not None else min(2.0**message.attempts, LONGEST_WAIT_S)
    return _wait(message, lease, sentence, after_s=after_s, state=State.QUEUED, signed_at=None, answered=False)


def _wait(message: Message, lease: Lease, sentence: str, *, after_s: float = LOOK_AGAIN_S, **fields: object) -> After:
    with transaction.atomic(durable=True):
        due = Now() + timedelta(seconds=after_s)
        lease.write(sentence=sentence, next_at=due, lease_until=None, lease_owner="", **fields)
        if sentence != message.sentence:
            message.refresh_from_db()
            announce(message)
    return after_s


def _give_up(message: Message, lease: Lease, more: str = "") -> After:
    at = f"{message.signed_at:%H:%M:%S} UTC" if message.signed_at else "an earlier moment"
    sentence = (
        f"It was sent at {at} and no answer came; it was looked for and not found. It may or may not have arrived: "
        f"look at {message.get_kind_display()}, then decide here.{more}"
    )
    return _end(message, lease, State.UNKNOWN, sentence)


def _end(
    message: Message, lease: Lease, state: Message.State, sentence: str, *, response: channels.Response | None = None
) -> After:
    with transaction.atomic(durable=True):
        lease.write(
            state=state,
            sentence=sentence,
            response=response or {},
            outcome_at=Now(),
            only_look=False,
            lease_until=None,
            lease_owner="",
        )
        message.refresh_from_db()
        announce(message)
        record(message, f"message.{state.value}")
    return OVER


def _survive(message: Message, lease: Lease, failure: Exception) -> After:
    """What nobody foresaw: go on later, by looking where it was sent; the row says what happened."""
    try:
        sentence = f"NovaOps itself failed ({type(failure).__name__}); the log has the details"
        return _wait(message, lease, sentence, after_s=min(2.0**message.attempts, LONGEST_WAIT_S))
    except leases.Lost:
        logger.warning("Message %s: the lease was lost after a failure", message.pk)
        return OVER
