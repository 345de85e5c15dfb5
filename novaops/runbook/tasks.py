"""The worker's side of the engine: each task looks at rows and makes one step."""

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import shared_task
from django.core.cache import cache
from django.db.models import Q
from django.db.models.functions import Now

from novaops.audit import chain
from novaops.runbook import approvals, doorbell, engine, planning, transitions
from novaops.runbook.models import Plan, Run
from novaops.runbook.states import DRIVEN

logger = logging.getLogger(__name__)

SWEPT_AT_ONCE = 200
# How long one message carries a run on without another: far from the limit of a task's time.
CARRY_ON_S = 3.0
# A plan nobody waits for any more is not worth resolving.
PLAN_WANTED_S = 120
# Where the cache keeps when a worker last swept: the sign that beat, broker and workers live.
SWEPT_AT = "runs-swept-at"


@shared_task
def advance(*, run_id: int, **_from_newer_senders: Any) -> None:
    """Make the transitions of a run that are due. Delivered twice it does nothing twice: the lease decides."""
    until = time.monotonic() + CARRY_ON_S
    after_s = engine.advance(run_id)
    while after_s == transitions.NOW_S and time.monotonic() < until:
        after_s = engine.advance(run_id)
    if after_s is not None:
        doorbell.ring(run_id, after_s=after_s)


@shared_task
def resolve_plan(*, plan_id: str, **_from_newer_senders: Any) -> None:
    """Look at a plan's target and fill the plan."""
    planning.resolve(Plan.objects.get(pk=plan_id))


@shared_task
def sweep(**_from_newer_senders: Any) -> None:
    """End what nobody approved, and ring for every run that is due and free and every plan somebody waits for."""
    approvals.expire_old()
    cache.set(SWEPT_AT, datetime.now(UTC).isoformat(), timeout=None)
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    due = Run.objects.filter(free, status__in=DRIVEN, next_at__lte=Now())
    for run_id in due.order_by("next_at").values_list("pk", flat=True)[:SWEPT_AT_ONCE]:
        doorbell.ring(run_id)
    wanted = datetime.now(UTC) - timedelta(seconds=PLAN_WANTED_S)
    for plan_id in Plan.objects.filter(state=Plan.State.RESOLVING, created_at__gt=wanted).values_list("pk", flat=True):
        doorbell.ring_for_plan(str(plan_id))


@shared_task
def publish_head(**_from_newer_senders: Any) -> None:
    """Tell the log, which leaves this machine, where the audit chain ends: a rewritten database is noticed by it."""
    seq, digest = chain.head()
    logger.info("Audit chain head %s:%s", seq, digest)
