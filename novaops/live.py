"""Tell open pages that a topic moved on. A page polls with the revision it shows and gets 204 while that is current."""

import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, cast

from django.conf import settings
from django.core.cache import cache, caches
from django.core.cache.backends.redis import RedisCache
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
# What a page polls: its topics, and how often its revision moves with time alone.
Polled = tuple[tuple[str, ...], float]

FRAGMENT_TTL_S = 60
# How long a Redis that did not answer is not asked again: each question would wait for its timeout.
SILENT_S = 2.0
# For so long a session that was let in is told that nothing changed without being looked at again.
REMEMBERED_S = 60
# Of these, as many are kept in the process itself for so long.
MOST_REMEMBERED, NEARBY_S = 10_000, 5.0


class Cache(RedisCache):
    """Django's Redis cache that forgets instead of failing: without Redis, pages are rendered each time."""

    silent_until = 0.0
    # Who was let in to poll what, kept in the process for a few seconds: {poll: (until, what)}.
    let_in: ClassVar[dict[str, tuple[float, Polled | None]]] = {}

    def clear(self) -> None:
        Cache.let_in.clear()
        super().clear()

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._or(default, super().get, key, default, version)

    def get_many(self, keys: Any, version: int | None = None) -> dict[Any, Any]:
        return dict(self._or({}, super().get_many, keys, version))

    def set(self, key: Any, value: Any, timeout: Any = 300, version: int | None = None) -> None:
        self._or(None, super().set, key, value, timeout, version)

    def add(self, key: Any, value: Any, timeout: Any = 300, version: int | None = None) -> bool:
        return bool(self._or(None, super().add, key, value, timeout, version))

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return bool(self._or(None, super().has_key, key, version))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(self._or(None, super().delete, key, version))

    def count(self, key: str, timeout: int) -> int:
        """How often this was called for the key, by all processes, in one round trip; 0 where Redis does not answer."""
        return int(self._or(0, self._count, self.make_and_validate_key(key), timeout))

    def _count(self, key: str, timeout: int) -> int:
        both = self._cache.get_client(key, write=True).pipeline(transaction=False)
        both.incr(key)
        both.expire(key, timeout)
        return int(both.execute()[0])

    def _or(self, fallback: Any, call: Callable[..., Any], *args: Any) -> Any:
        if silent():
            return fallback
        try:
            return call(*args)
        except RedisError as failure:
            Cache.silent_until = time.monotonic() + SILENT_S
            logger.warning("The cache did not answer: %s", type(failure).__name__)
            return fallback


def silent() -> bool:
    """Whether Redis did not answer moments ago, so that nobody should wait for it now."""
    return time.monotonic() < Cache.silent_until


def count_this_minute(name: str, now_s: float) -> int:
    """How often this was asked of the name in this minute, by all processes; 0 where Redis does not answer."""
    ours = cast("Cache", caches["default"])
    return ours.count(f"minute:{name}:{now_s // 60:.0f}", 120)


def publish(topic: str) -> None:
    """Move `topic` on once the surrounding transaction has committed."""
    transaction.on_commit(partial(_bump, topic))


def _bump(topic: str) -> None:
    # Not a counter: begun anew after Redis lost its data, it would come to numbers that pages still show.
    cache.set(f"revision:{topic}", secrets.token_hex(8), timeout=None)


def revision(topic: str) -> str:
    """The topic's current revision; empty where it is not known, which no page's revision equals."""
    return str(cache.get(f"revision:{topic}", "") or "")


def remember(request: HttpRequest, topics: tuple[str, ...], every_s: float) -> None:
    """Let `quick` answer this page's next polls, of this session, while none of the topics has moved on."""
    cache.set(_poll(request), (topics, every_s), timeout=REMEMBERED_S)


def current(topics: tuple[str, ...], every_s: float, now_s: float | None = None) -> str:
    """The revision of them all together, empty where one is not known.

    It also moves with time, so that an open page notices that nothing comes any more.
    """
    names = [f"revision:{topic}" for topic in topics]
    found, now_s = cache.get_many(names), time.time() if now_s is None else now_s
    known = [str(found.get(name) or "") for name in names]
    return f"{'.'.join(known)}-{now_s // every_s:.0f}" if all(known) else ""


def quick(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer a poll of a page that shows the current revision before anything else is asked.

    It costs a read of Redis, and tells only that nothing changed, to a session that a view has let in within the
    last minute: whoever was signed out meanwhile learns it by the first poll with news, or when that minute is over.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        shown = request.GET.get("rev", "") if request.method == "GET" else ""
        if shown and settings.SESSION_COOKIE_NAME in request.COOKIES and shown == _remembered(request):
            return HttpResponse(status=204, headers={"Cache-Control": "no-store"})
        return get_response(request)

    return handle


def _remembered(request: HttpRequest) -> str:
    """The current revision of what the page polls; empty where no view has let it in lately."""
    poll, now_s = _poll(request), time.monotonic()
    until_s, known = Cache.let_in.get(poll, (0.0, None))
    if now_s > until_s:
        known = cache.get(poll)
        _keep(poll, now_s + NEARBY_S, known)
    return current(*known) if known else ""


def _keep(poll: str, until_s: float, known: Polled | None) -> None:
    if len(Cache.let_in) >= MOST_REMEMBERED:
        Cache.let_in.clear()
    if known:
        Cache.let_in[poll] = (until_s, known)


def _poll(request: HttpRequest) -> str:
    who = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    what = f"{who} {request.path} {request.GET.get('environment', '')} {request.headers.get('HX-Request', '')}"
    return f"poll:{hashlib.sha256(what.encode()).hexdigest()}"


def unchanged(request: HttpRequest, current: str) -> HttpResponse | None:
    """204 for a poll (`?rev=`) whose page already shows `current`; None where it must be rendered."""
    if current and request.GET.get("rev") == current:
        return HttpResponse(status=204)
    return None


def here(topic: str, who: str, left_after_s: float) -> list[str] | None:
    """Say that `who` looks at a topic now; who does, by name. None where Redis does not answer.

    Two who say so at the same moment may overwrite each other; the next beat of either mends that.
    """
    now = time.time()
    known = {name: at for name, at in (cache.get(f"here:{topic}") or {}).items() if now - at < left_after_s}
    cache.set(f"here:{topic}", {**known, who: now}, timeout=int(left_after_s))
    return None if silent() else sorted({*known, who})


def fragment(name: str, current: str, render: Callable[[], str]) -> str:
    """The HTML of `name` at revision `current`, rendered once and shared by every page that polls it."""
    if not current:
        return render()
    key = f"fragment:{name}:{current}"
    html = cache.get(key)
    if html is None:
        html = render()
        cache.set(key, html, timeout=FRAGMENT_TTL_S)
    return str(html)
