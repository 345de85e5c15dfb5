"""The lease of a message: one worker at a time, by the database's clock; every write proves that it is still held."""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from novaops.outbox.models import Message

# A message to the worker may arrive a breath before the moment it was scheduled for.
EARLY = timedelta(milliseconds=50)
# What of its lane is not over yet goes first.
CLAIM = """
UPDATE outbox_message
   SET lease_owner = %(owner)s, lease_token = lease_token + 1, lease_until = statement_timestamp() + %(length)s
 WHERE id = (SELECT id FROM outbox_message AS chosen
              WHERE id = %(message)s AND state IN ('queued', 'sending')
                AND next_at <= statement_timestamp() + %(early)s
                AND (lease_until IS NULL OR lease_until < statement_timestamp())
                AND NOT EXISTS (SELECT FROM outbox_message AS earlier
                                 WHERE earlier.lane <> '' AND earlier.lane = chosen.lane AND earlier.id < chosen.id
                                   AND earlier.state IN ('queued', 'sending'))
                FOR UPDATE SKIP LOCKED)
RETURNING lease_token, statement_timestamp()
"""


class Lost(Exception):
    """The lease ran out and another worker took it: whatever was about to be written must not be."""


@dataclass(frozen=True)
class Lease:
    """The right to carry on a message, until it runs out or a higher token exists."""

    message_id: int
    token: int
    # What this machine's clock lacks of the database's.
    behind: timedelta = timedelta()

    def now(self) -> datetime:
        """The database's time: durations are judged by it, as several machines' clocks may differ."""
        return datetime.now(UTC) + self.behind

    def write(self, **fields: Any) -> None:
        """Update the message's row. Raises Lost where the lease is no longer ours."""
        if Message.objects.filter(pk=self.message_id, lease_token=self.token).update(**fields) != 1:
            raise Lost(f"message {self.message_id}")

    def sign(self) -> bool:
        """Mark the message as leaving now; False where the lease is no longer ours or it was sent before.

        The row lock orders this against a claim: whoever takes the message over afterwards sees the mark.
        """
        with transaction.atomic(durable=True):
            ours = Message.objects.filter(pk=self.message_id, lease_token=self.token, lease_until__gt=Now())
            return ours.filter(signed_at=None, state=Message.State.SENDING).update(signed_at=Now()) == 1


def claim(message_id: int) -> Lease | None:
    """Take the message's lease if it is due, free and first in its lane; None where nothing is to be done."""
    params: dict[str, Any] = {
        "owner": f"{socket.gethostname()}:{os.getpid()}"[:80],
        "length": timedelta(seconds=settings.RUN_LEASE_S),
        "message": message_id,
        "early": EARLY,
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, params)
        row = cursor.fetchone()
    return Lease(message_id, row[0], row[1] - datetime.now(UTC)) if row else None
