"""How much each source sends, and what was last refused: for the administrator's page, forgotten with Redis."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest

from novaops.access.adapter import address_of

logger = logging.getLogger(__name__)

KEPT_S = 30 * 24 * 3600
# Who is refused writes so many lines and keys a minute, however often it tries.
NOTED_A_MINUTE = 60
_taken: dict[str, tuple[int, int]] = {}
_noted: dict[str, tuple[int, int]] = {}
MOST_NAMES = 1000


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The last message of a source that was not taken."""

    at: datetime
    why: str
    address: str


def patient(source: str, a_minute: int, now: datetime) -> bool:
    """Whether the source may send one more in this minute."""
    return _counted(_taken, source, now) <= a_minute


def refused(source: str, why: str, request: HttpRequest, now: datetime) -> None:
    """Remember a refusal and log it, within bounds."""
    if _counted(_noted, "all", now) > NOTED_A_MINUTE:
        return
    address = address_of(request)
    logger.warning("A delivery to %s from %s was refused: %s", source, address or "an unknown address", why)
    cache.set(_key(source), {"at": now, "why": why, "address": address}, timeout=KEPT_S)


def last_refusal(source: str) -> Refusal | None:
    """The source's last refusal, as far as Redis remembers."""
    found: dict[str, Any] | None = cache.get(_key(source))
    return Refusal(**found) if found else None


def _key(source: str) -> str:
    return f"hooks:refused:{source}"


def _counted(counts: dict[str, tuple[int, int]], name: str, now: datetime) -> int:
    minute = int(now.timestamp() // 60)
    if len(counts) > MOST_NAMES:
        counts.clear()
    before, count = counts.get(name, (minute, 0))
    counts[name] = (minute, count + 1 if before == minute else 1)
    return counts[name][1]
