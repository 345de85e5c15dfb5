"""Makes a worker commit a post-mortem now; without it, the minute's round does."""

import logging

from celery.exceptions import CeleryError
from kombu.exceptions import KombuError

from novaops import live

logger = logging.getLogger(__name__)


def ring(postmortem: int) -> None:
    """Ask a worker; a broker that does not answer is only a delay."""
    from incidents.tasks import commit_postmortem

    if live.silent():
        return
    try:
        commit_postmortem.apply_async(args=(postmortem,))
    except (KombuError, CeleryError, OSError) as failure:
        logger.warning("The broker did not take the commit of %s: %s", postmortem, type(failure).__name__)
