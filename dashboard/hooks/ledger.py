"""How much each source sends, and what was last refused: for the administrator's page, forgotten with Redis."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest

from novaops import live
from novaops.access.adapter import address_of

logger = logging.getLogger(__name__)

KEPT_S = 30 * 24 * 3600
# Who is refused writes so many lines and keys a minute, however often it tries.
NOTED_A_MINUTE = 60
# What this process counted in which minute while Redis, which counts for all of them, did not answer.
_here: dict[str, tuple[int, int]] = {}
MOST_NAMES = 1000


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The last message of a source that was not taken."""

    at: datetime
    why: str
    address: str


def patient(source: str, a_minute: int, now: datetime) -> bool:
    """Whether the source may send one more in this minute, to whichever process."""
    return _counted(f"hooks:{source}", now) <= a_minute


def refused(source: str, why: str, request: HttpRequest, now: datetime) -> None:
    """Remember a refusal and log it, within bounds."""
    if _counted("hooks-refused", now) > NOTED_A_MINUTE:
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


def _counted(name: str, now: datetime) -> int:
    return live.count_this_minute(name, now.timestamp()) or _counted_here(name, int(now.timestamp() // 60))


def _counted_here(name: str, minute: int) -> int:
    if len(_here) > MOST_NAMES:
        _here.clear()
    before, count = _here.get(name, (minute, 0))
    _here[name] = (minute, count + 1 if before == minute else 1)
    return _here[name][1]
