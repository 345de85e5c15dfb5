"""The inbox: every verified message is a row before its sender hears so, and is read afterwards, once."""

import logging
import time
from datetime import datetime

from django.db import connection, transaction

from dashboard.hooks import reading
from dashboard.hooks.letters import Letter, Unreadable
from dashboard.hooks.models import Delivery

logger = logging.getLogger(__name__)

LARGEST = 256 * 1024
BATCH = 200
LONGEST_S = 10
INSERT = (
    "INSERT INTO dashboard_delivery (source, ident, environment, via, body, received_at, state, outcome, subject)"
    " VALUES (%s, %s, %s, %s, %s, %s, 'waiting', '', '') ON CONFLICT (source, ident) DO NOTHING RETURNING id"
)


def keep(letter: Letter, body: bytes, via: str, now: datetime) -> bool:
    """Store the message as it came, in one statement; False where it is here already. Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [letter.source, letter.ident, letter.environment, via, body, now])
        return cursor.fetchone() is not None


def drain() -> None:
    """Read until nothing waits, for as long as one task should take."""
    ends = time.monotonic() + LONGEST_S
    while read_waiting() and time.monotonic() < ends:
        pass


def read_waiting() -> int:
    """Read what waits, the oldest first; how many were read. Two workers at it do not meet."""
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING).order_by("id")
    ids = list(waiting.values_list("pk", flat=True)[:BATCH])
    return sum(_read(pk) for pk in ids)


def _read(pk: int) -> bool:
    try:
        with transaction.atomic():
            waiting = Delivery.objects.select_for_update(skip_locked=True)
            delivery = waiting.filter(pk=pk, state=Delivery.State.WAITING).first()
            if delivery is None:
                return False
            _conclude(delivery)
    except Exception:
        # A defect of ours with one message must not keep those behind it waiting.
        logger.exception("Reading delivery %s broke", pk)
        broken = "NovaOps itself failed at reading it: see the log"
        Delivery.objects.filter(pk=pk).update(state=Delivery.State.UNREADABLE, outcome=broken)
    return True


def _conclude(delivery: Delivery) -> None:
    try:
        reading.use(delivery)
    except Unreadable as failure:
        delivery.conclude(Delivery.State.UNREADABLE, f"Not understood: {failure}")
    delivery.save()
