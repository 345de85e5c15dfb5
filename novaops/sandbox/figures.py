"""What Nova's real database and real Redis say of themselves, where the sandbox has them; asked with short timeouts."""

import os
from typing import Any

import psycopg
import redis

from novaops.sandbox.load import RedisFigures
from novaops.sandbox.pools import FULL

TIMEOUT_S = 1
COUNTED = (
    "SELECT count(*), current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int "
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class UnreachableError(Exception):
    """It should answer, and does not: its figures are missing, not modelled."""


class Database:
    """Nova's database, asked again and again."""

    def __init__(self) -> None:
        self._limit = 0

    def connections(self) -> int | None:
        """How many are connected, this question not counted; None where there is no real database.

        A database that has no slot left for the question is full. Raises UnreachableError where it does not answer.
        """
        dsn = os.environ.get("NOVA_DATABASE_URL")
        if not dsn:
            return None
        try:
            with psycopg.connect(dsn, connect_timeout=TIMEOUT_S, options="-c statement_timeout=1000") as connection:
                row = connection.execute(COUNTED).fetchone()
        except psycopg.OperationalError as failure:
            if self._limit and any(words in str(failure) for words in FULL):
                return self._limit
            raise UnreachableError(f"Nova's database was not asked: {failure}") from failure
        if row is None:
            raise UnreachableError("Nova's database gave no count")
        self._limit = int(row[1])
        return int(row[0])


class Redis:
    """Nova's Redis, asked again and again: its counters become differences."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._client: redis.Redis | None = None

    def figures(self) -> RedisFigures | None:
        """What happened since it was last asked; None where there is no real Redis. Raises UnreachableError."""
        try:
            info = self._info()
        except redis.RedisError as failure:
            raise UnreachableError(f"Nova's Redis was not asked: {failure}") from failure
        if info is None:
            return None
        limit = info.get("maxmemory") or info["total_system_memory"]
        return RedisFigures(
            memory_percent=100 * info["used_memory"] / limit,
            connections=info["connected_clients"],
            evictions=self._since(info, "evicted_keys"),
            hits=self._since(info, "keyspace_hits"),
            misses=self._since(info, "keyspace_misses"),
        )

    def _info(self) -> dict[str, Any] | None:
        url = os.environ.get("NOVA_REDIS_URL")
        if not url:
            return None
        if self._client is None:
            self._client = redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        info: dict[str, Any] = self._client.info()
        return info

    def _since(self, info: dict[str, Any], counter: str) -> int:
        now = int(info[counter])
        before = self._before.get(counter, now)
        self._before[counter] = now
        # A Redis that was restarted counts from nought again.
        return now - before if now >= before else now
