"""The biggest keys of Redis: found by a scan that is bounded and only reads."""

import os

import pytest
import redis

from novaops.cloud import redis_keys
from novaops.cloud.errors import OutsideError


def scan(**bounds: float) -> redis_keys.Scan:
    return redis_keys.biggest(os.environ["NOVA_REDIS_URL"], **bounds)  # type: ignore[arg-type]


def test_it_finds_the_biggest_of_every_type_and_changes_nothing(nova_redis: "redis.Redis") -> None:
    nova_redis.set("session:1", "x" * 50_000, ex=900)
    nova_redis.hset("limits", mapping={str(number): "y" * 20 for number in range(500)})
    for number in range(600):
        nova_redis.set(f"small:{number}", "z")
    found = scan()
    assert [(key.name, key.type) for key in found.biggest[:2]] == [("session:1", "string"), ("limits", "hash")]
    assert found.biggest[0].size > 50_000
    assert (found.scanned, found.total, found.complete) == (602, 602, True)
    assert (found.by_type["string"][0], found.by_type["hash"][0], len(found.biggest)) == (601, 1, 20)
    assert (nova_redis.dbsize(), 800 < nova_redis.ttl("session:1") <= 900) == (602, True)


def test_it_stops_at_its_bounds_and_says_so(nova_redis: "redis.Redis") -> None:
    with nova_redis.pipeline() as several:
        for number in range(3000):
            several.set(f"key:{number}", "v")
        several.execute()
    by_number, by_time = scan(most_keys=400), scan(most_s=0.001)
    assert (by_number.complete, 400 <= by_number.scanned < 1000) == (False, True)
    assert (by_time.complete, 0 < by_time.scanned < 3000) == (False, True)


def test_it_keeps_only_the_beginning_of_a_name_and_no_control_characters(nova_redis: "redis.Redis") -> None:
    nova_redis.set(b"token:" + b"s" * 80, "1")
    nova_redis.set(b"\xff\x00\n", "1")
    names = {key.name for key in scan().biggest}
    assert names == {"token:" + "s" * 54 + "…", "\\xff??"}


def test_an_unreachable_redis_is_said_in_a_sentence() -> None:
    with pytest.raises(OutsideError, match="could not be reached"):
        redis_keys.biggest("redis://127.0.0.1:1/0")
