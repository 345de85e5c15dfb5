"""What the simulated API tasks really send to Nova's Redis: sessions, rate limits, short-lived data."""

import random
from typing import Any

import redis

from novaops.sandbox.load import BLOATED, CACHE_FILLED, HIT_SHARE
from novaops.sandbox.pools import APPLICATION

TIMEOUT_S = 1
SESSION, SESSION_TTL_S = "x" * 1024, 900
MOST_SESSIONS, BATCH = 6000, 200
# So many sessions are written anew each round, in turn: none expires while somebody serves.
RENEWED = 10
RATE_KEYS, RATE_TTL_S = 200, 60
SHORT_LIVED, SHORT_TTL_S = "y" * 200, 20
REPORT, MOST_REPORTS = "z" * 65536, 20
OWN_KEYS = ("session:*", "rate:*", "cache:*", "report:*")


class Traffic:
    """One connection for each task, and what they all know: how many sessions there are."""

    def __init__(self) -> None:
        self._clients: dict[str, redis.Redis] = {}
        self._random = random.Random(1)  # noqa: S311 - reproducible, not a secret
        self._sessions = self._renewed = self._unseen = self._reports = 0
        self._room = 0

    def serve(self, url: str, tasks: list[str], gets: int, bloat: float) -> None:
        """One round of so many GETs, shared by the tasks; `bloat` is how far the reports have grown. Raises RedisError.

        Without a task nothing is asked.
        """
        for gone in self._clients.keys() - set(tasks):
            self._clients.pop(gone).close()
        for task in tasks:
            if task not in self._clients:
                self._clients[task] = _connected(url)
            client = self._clients[task]
            if not self._sessions:
                self._fill(client)
            self._ask(client, gets // len(tasks))
        if tasks:
            self._report(self._clients[tasks[0]], bloat)

    def disconnect(self) -> None:
        """Connect anew in the next round."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _fill(self, client: "redis.Redis") -> None:
        """Write as many sessions as a cache that has long been in use holds."""
        if not self._room:
            self._remove_former(client)
            self._room = client.info("memory")["maxmemory"] or MOST_SESSIONS * len(SESSION)
        sessions = 0
        while sessions < MOST_SESSIONS and _used(client) < CACHE_FILLED / 100 * self._room:
            if sessions and not client.exists("session:0"):
                # Somebody emptied it meanwhile.
                sessions = 0
            with client.pipeline(transaction=False) as batch:
                for number in range(sessions, sessions + BATCH):
                    batch.set(f"session:{number}", SESSION, ex=SESSION_TTL_S)
                batch.execute()
            sessions += BATCH
        self._sessions = sessions

    def _remove_former(self, client: "redis.Redis") -> None:
        """What an earlier sandbox left would make it seem full."""
        for pattern in OWN_KEYS:
            if keys := list(client.scan_iter(pattern, count=1000)):
                client.unlink(*keys)

    def _ask(self, client: "redis.Redis", gets: int) -> None:
        """GETs of which a known share misses; what a client misses it writes, as a cache is used."""
        missed = round(gets * (1 - HIT_SHARE))
        asked = [f"session:{self._random.randrange(self._sessions)}" for _ in range(gets - missed)]
        unknown = [f"cache:{self._unseen + n}" for n in range(missed)]
        self._unseen += missed
        with client.pipeline(transaction=False) as batch:
            for key in (*asked, *unknown):
                batch.get(key)
            answers = batch.execute()
            if not any(answers):
                # Somebody emptied it.
                self._sessions = 0
                return
            for key, answer in zip((*asked, *unknown), answers, strict=True):
                if answer is None:
                    _write(batch, key)
            for _ in range(RENEWED):
                self._renewed = (self._renewed + 1) % self._sessions
                _write(batch, f"session:{self._renewed}")
            rate = f"rate:{self._random.randrange(RATE_KEYS)}"
            batch.incr(rate)
            batch.expire(rate, RATE_TTL_S)
            # A Redis without room refuses a write; the next round tries others.
            batch.execute(raise_on_error=False)

    def _report(self, client: "redis.Redis", bloat: float) -> None:
        """Let the reports, large and without expiry, grow to the share; take them away where they should be gone."""
        wanted = int(bloat * BLOATED / 100 * self._room / len(REPORT))
        if not wanted and self._reports:
            client.unlink(*(f"report:{number}" for number in range(self._reports)))
            self._reports = 0
        self._reports = max(self._reports, wanted)
        with client.pipeline(transaction=False) as batch:
            for number in range(self._reports):
                batch.exists(f"report:{number}")
            missing = [number for number, there in enumerate(batch.execute()) if not there]
        for number in missing[:MOST_REPORTS]:
            client.set(f"report:{number}", REPORT)


def _connected(url: str) -> "redis.Redis":
    return redis.Redis.from_url(
        url,
        client_name=APPLICATION,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
    )


def _write(batch: Any, key: str) -> None:
    if key.startswith("session:"):
        batch.set(key, SESSION, ex=SESSION_TTL_S)
    else:
        batch.set(key, SHORT_LIVED, ex=SHORT_TTL_S)


def _used(client: "redis.Redis") -> float:
    return float(client.info("memory")["used_memory"])
