"""The doorbell of the inbox: a worker reads now instead of at the next sweep. One ring serves many messages."""

import logging
import time

from celery.exceptions import CeleryError
from kombu.exceptions import KombuError, OperationalError

from novaops import live

logger = logging.getLogger(__name__)

# A worker that was rung for takes everything that waits; the sweep of every second takes what came just after.
EVERY_S = 0.25
_rung = [0.0]


def ring(*, now: bool = False) -> None:
    """Ask a worker to read the inbox; a broker that does not answer is only a delay."""
    at = time.monotonic()
    if live.silent() or (at - _rung[0] < EVERY_S and not now):
        return
    _rung[0] = at
    from dashboard.tasks import read_inbox

    try:
        read_inbox.apply_async()
    except (OperationalError, KombuError, CeleryError, OSError) as failure:
        logger.warning("The broker did not take the ring for the inbox: %s; the sweep will", type(failure).__name__)
