"""How long rows are kept: what a model that grows declares as `kept`, and the sweep that forgets what is older."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.apps import apps
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import DatabaseError, models
from django.db.models import Q

logger = logging.getLogger(__name__)

EVERY = Q()
BATCH = 5_000
LONGEST_S = 15


@dataclass(frozen=True, kw_only=True)
class Kept:
    """For how long after the time in the field `since` a row is kept; with `only`, other rows stay for ever."""

    length: timedelta
    since: str
    only: Q = EVERY


def growing() -> dict[type[models.Model], Kept]:
    """The models whose rows are forgotten, and after how long."""
    return {model: kept for model in apps.get_models() if (kept := getattr(model, "kept", None))}


def forget_old(now: datetime, longest_s: float = LONGEST_S) -> None:
    """Forget what is too old of every model and of the sessions; what there is no time for waits for the next call."""
    ends = time.monotonic() + longest_s
    for model in growing():
        try:
            while forget(model, now) == BATCH and time.monotonic() < ends:
                pass
        except DatabaseError:
            # One table that is in use for too long must not keep the others growing.
            logger.exception("Forgetting old rows of %s broke", model._meta.label)
    SessionStore.clear_expired()


def forget(model: type[models.Model], now: datetime) -> int:
    """Forget some of the rows of a model that are too old; how many they were."""
    kept: Kept = growing()[model]
    old = model._default_manager.filter(kept.only, **{f"{kept.since}__lt": now - kept.length})
    found = list(old.order_by().values_list("pk", flat=True)[:BATCH])
    model._default_manager.filter(pk__in=found).delete()
    return len(found)
