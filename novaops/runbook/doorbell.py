"""Celery as a doorbell: a message makes a worker look at a row now; without it the sweep does a little later."""

import logging

from celery.exceptions import CeleryError
from kombu.exceptions import KombuError, OperationalError

from novaops import live

logger = logging.getLogger(__name__)


def ring(run_id: int, *, after_s: float = 0) -> None:
    """Ask a worker to advance the run; a broker that does not answer is only a delay."""
    from novaops.runbook.tasks import advance

    _publish(advance, after_s, run_id=run_id)


def ring_for_plan(plan_id: str) -> None:
    """Ask a worker to resolve the plan."""
    from novaops.runbook.tasks import resolve_plan

    _publish(resolve_plan, 0, plan_id=plan_id)


def _publish(task: object, after_s: float, **kwargs: object) -> None:
    if live.silent():
        logger.warning("Redis is silent, nobody is told of %s; the sweep will", kwargs)
        return
    try:
        task.apply_async(kwargs=kwargs, countdown=after_s or None)  # type: ignore[attr-defined]
    except (OperationalError, KombuError, CeleryError, OSError) as failure:
        logger.warning("The broker did not take %s: %s; the sweep will", kwargs, type(failure).__name__)
