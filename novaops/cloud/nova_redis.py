"""Nova's own Redis, asked directly by INFO (CONFIG is not allowed on ElastiCache, FACTS C)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from novaops.cloud.errors import OutsideError

TIMEOUT_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Info:
    """What INFO tells. Counts are since the server started; `memory_limit` is 0 where none is set."""

    role: str
    memory_used: int
    memory_limit: int
    policy: str
    evicted_keys: int
    hits: int
    misses: int
    clients: int
    replicas: int


def info(url: str, *, timeout_s: float = TIMEOUT_S) -> Info:
    """Ask the server at `url`. Raises OutsideError with a sentence safe to show."""
    with connected(url, timeout_s=timeout_s) as client:
        return _info(client.info())


@contextmanager
def connected(url: str, *, timeout_s: float = TIMEOUT_S) -> Iterator["redis.Redis"]:
    """A client of the server at `url`. Whatever fails inside raises OutsideError with a sentence safe to show."""
    if not url:
        raise OutsideError("No connection to Nova's Redis is configured")
    client = redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(timeout_s, TIMEOUT_S),
        client_name="novaops",
        retry=None,
    )
    try:
        yield client
    except redis.TimeoutError as failure:
        raise OutsideError(f"Nova's Redis did not answer within {timeout_s:g} s") from failure
    except redis.AuthenticationError as failure:
        raise OutsideError("Nova's Redis refused the credentials") from failure
    except redis.ConnectionError as failure:
        raise OutsideError("Nova's Redis could not be reached") from failure
    except redis.RedisError as failure:
        raise OutsideError(f"Nova's Redis answered with an error ({type(failure).__name__})") from failure
    finally:
        client.close()


def _info(told: dict[str, Any]) -> Info:
    return Info(
        role=str(told.get("role", "")),
        memory_used=int(told.get("used_memory", 0)),
        memory_limit=int(told.get("maxmemory", 0)),
        policy=str(told.get("maxmemory_policy", "")),
        evicted_keys=int(told.get("evicted_keys", 0)),
        hits=int(told.get("keyspace_hits", 0)),
        misses=int(told.get("keyspace_misses", 0)),
        clients=int(told.get("connected_clients", 0)),
        replicas=int(told.get("connected_slaves", 0)),
    )
