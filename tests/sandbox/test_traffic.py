"""What the simulated API tasks keep in Nova's Redis."""

import os

import pytest
import redis

from novaops.sandbox import traffic


def test_a_cache_that_is_emptied_while_it_is_filled_is_filled_from_the_beginning(
    nova_redis: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    used, asked = traffic._used, []

    def emptied_once(client: "redis.Redis") -> float:
        asked.append(client)
        if len(asked) == 3:
            client.flushall()
        return used(client)

    monkeypatch.setattr(traffic, "_used", emptied_once)
    traffic.Traffic().serve(os.environ["NOVA_REDIS_URL"], ["task"], gets=10, bloat=0)
    assert nova_redis.exists(*(f"session:{number}" for number in range(2 * traffic.BATCH))) == 2 * traffic.BATCH
