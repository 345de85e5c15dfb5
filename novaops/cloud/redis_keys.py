"""The biggest keys of Nova's Redis: a scan that is bounded in time and load, and only reads."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis

from novaops.cloud.nova_redis import connected

COUNT = 200
PAUSE_S = 0.005
MOST_S = 5.0
MOST_KEYS = 200_000
BIGGEST = 20
# Keys may hold what belongs to users (e-mail addresses, tokens): only their beginning is kept.
SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key: the beginning of its name, its type, and what it takes of memory, in bytes."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What a scan saw. `complete`: every key was seen; `by_type` holds (keys, bytes) of each type."""

    biggest: tuple[Key, ...]
    by_type: dict[str, tuple[int, int]]
    scanned: int
    total: int
    complete: bool


def biggest(url: str, *, most_s: float = MOST_S, most_keys: int = MOST_KEYS) -> Scan:
    """Look at keys, COUNT at a time with pauses, until all, `most_keys` or `most_s` are over. Raises OutsideError."""
    until = time.monotonic() + most_s
    found: list[Key] = []
    by_type: dict[str, tuple[int, int]] = {}
    scanned, complete = 0, False
    with connected(url) as client:
        total = int(client.dbsize())
        for keys in _batches(client):
            for key in keys:
                number, size = by_type.get(key.type, (0, 0))
                by_type[key.type] = (number + 1, size + key.size)
            scanned += len(keys)
            found = sorted([*found, *keys], key=lambda key: -key.size)[:BIGGEST]
            if scanned >= most_keys or time.monotonic() > until:
                break
            time.sleep(PAUSE_S)
        else:
            complete = True
    return Scan(biggest=tuple(found), by_type=by_type, scanned=scanned, total=total, complete=complete)


def _batches(client: "redis.Redis") -> Iterator[list[Key]]:
    """The keys, batch by batch."""
    position = 0
    while True:
        position, names = client.scan(cursor=position, count=COUNT)
        yield _measured(client, names)
        if position == 0:
            return


def _measured(client: "redis.Redis", names: list[Any]) -> list[Key]:
    asked: Any = client.pipeline(transaction=False)
    for name in names:
        asked.memory_usage(name)
        asked.type(name)
    answers = asked.execute()
    told = zip(names, answers[::2], answers[1::2], strict=True)
    # A key that expired in between has no size any more.
    return [Key(name=_shown(name), type=kind.decode(), size=size) for name, size, kind in told if size is not None]


def _shown(name: bytes) -> str:
    text = name.decode(errors="backslashreplace")
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
