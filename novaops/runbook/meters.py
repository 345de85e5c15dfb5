"""Budget meters: how often each action was done in the last day, how long ago, and what AWS still allows."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.core.cache import cache
from django.db.models import Count, Max

from novaops import live
from novaops.environment import Environment
from novaops.runbook.action import Action
from novaops.runbook.models import Run
from novaops.runbook.states import RunStatus

DAY = timedelta(hours=24)
# The counts are read again at the latest after this, and whenever a run moves on.
FRESH_S = 60
# Runs that may have done something: those that were refused or called off before the effect spend no budget.
SPENT = (RunStatus.RUNNING, RunStatus.VERIFYING, RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.UNKNOWN)
Used = Mapping[str, tuple[int, datetime]]


def used(environment: Environment) -> Used:
    """By action: how often it ran here within 24 hours, and when last; one query, kept until a run moves on."""
    key = f"meters:{environment.name}:{live.revision('runs')}"
    kept: Used | None = cache.get(key)
    if kept is None:
        kept = _counted(environment)
        cache.set(key, kept, timeout=FRESH_S)
    return kept


def _counted(environment: Environment) -> Used:
    recent = Run.objects.filter(
        environment=environment.name, started_at__gt=datetime.now(UTC) - DAY, status__in=SPENT
    ).order_by()
    rows = recent.values("action").annotate(times=Count("id"), last=Max("started_at"))
    return {row["action"]: (row["times"], row["last"]) for row in rows}


def meter(action: type[Action], spent: Used) -> str:
    """As in `3 of 15 in 24 h, last 12 min ago`; empty where the action was not done and has no budget."""
    times, last = spent.get(action.key, (0, None))
    budget = f"{times} of {action.most_in_24_h} in 24 h" if action.most_in_24_h else f"{times} in 24 h"
    if last is None:
        return budget if action.most_in_24_h else ""
    minutes = int((datetime.now(UTC) - last).total_seconds() // 60)
    return f"{budget}, last {minutes} min ago"
