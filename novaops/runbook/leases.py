"""The lease of a run: one worker at a time, by the database's clock, and every write proves that it still holds it."""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from novaops.runbook.models import Call, Run
from novaops.runbook.states import DRIVEN

# A message may arrive a breath before the moment it was scheduled for.
EARLY = timedelta(milliseconds=50)
CLAIM = """
UPDATE runbook_run
   SET lease_owner = %(owner)s, lease_token = lease_token + 1, lease_until = statement_timestamp() + %(length)s
 WHERE id = (SELECT id FROM runbook_run
              WHERE id = %(run)s AND status = ANY(%(driven)s) AND next_at <= statement_timestamp() + %(early)s
                AND (lease_until IS NULL OR lease_until < statement_timestamp())
                FOR UPDATE SKIP LOCKED)
RETURNING lease_token, statement_timestamp()
"""


class Lost(Exception):
    """The lease ran out and another worker took it: whatever was about to be written must not be."""


@dataclass(frozen=True)
class Lease:
    """The right to carry on a run, until it runs out or a higher token exists."""

    run_id: int
    token: int
    # What this machine's clock lacks of the database's.
    behind: timedelta = timedelta()

    def now(self) -> datetime:
        """The database's time: durations are judged by it, as several machines' clocks may differ."""
        return datetime.now(UTC) + self.behind

    def write(self, **fields: Any) -> None:
        """Update the run's row. Raises Lost where the lease is no longer ours."""
        if Run.objects.filter(pk=self.run_id, lease_token=self.token).update(**fields) != 1:
            raise Lost(f"run {self.run_id}")

    def extend(self) -> None:
        """Start the lease's time anew. Raises Lost."""
        self.write(lease_until=Now() + _length())

    def release(self, *, after_s: float) -> None:
        """Give the run back, due again in `after_s` seconds. Raises Lost."""
        self.write(lease_until=None, lease_owner="", next_at=Now() + timedelta(seconds=after_s))

    def sign(self, call: Call) -> bool:
        """Mark the call as leaving now; False where the lease is no longer ours or the call was sent before.

        The row lock orders this against `claim`: whoever takes the run over afterwards sees the mark.
        """
        with transaction.atomic(durable=True):
            ours = Run.objects.select_for_update().filter(pk=self.run_id, lease_token=self.token, lease_until__gt=Now())
            if not ours.exists():
                return False
            return Call.objects.filter(pk=call.pk, signed_at=None, outcome="").update(signed_at=Now()) == 1


def claim(run_id: int) -> Lease | None:
    """Take the run's lease if it is due and free; None where another worker has it or nothing is to be done."""
    params: dict[str, Any] = {
        "owner": f"{socket.gethostname()}:{os.getpid()}"[:80],
        "length": _length(),
        "run": run_id,
        "driven": list(DRIVEN),
        "early": EARLY,
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, params)
        row = cursor.fetchone()
    return Lease(run_id, row[0], row[1] - datetime.now(UTC)) if row else None


def _length() -> timedelta:
    return timedelta(seconds=settings.RUN_LEASE_S)
