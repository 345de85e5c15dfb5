"""Celery as a doorbell: makes a worker look at a message now; without it the sweep does a little later."""

import logging

from celery.exceptions import CeleryError
from kombu.exceptions import KombuError, OperationalError

from novaops import live

logger = logging.getLogger(__name__)

# What is due later is left to the sweep: long countdowns are delivered more than once.
MOST_AHEAD_S = 60


def ring(message_id: int, *, after_s: float = 0) -> None:
    """Ask a worker to deliver the message; a broker that does not answer is only a delay."""
    from novaops.outbox.tasks import deliver

    if after_s > MOST_AHEAD_S:
        return
    if live.silent():
        logger.warning("Redis is silent, nobody is told of message %s; the sweep will", message_id)
        return
    try:
        deliver.apply_async(kwargs={"message_id": message_id}, countdown=after_s)
    except (OperationalError, KombuError, CeleryError, OSError) as failure:
        logger.warning("The broker did not take message %s: %s; the sweep will", message_id, type(failure).__name__)
