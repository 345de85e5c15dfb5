"""The biggest keys of Redis: found by a scan that is bounded and only reads."""

from collections.abc import Iterator

import pytest
import redis

from novaops.cloud import redis_keys
from novaops.cloud.errors import OutsideError
from novaops.sandbox import addresses
from novaops.sandbox.embedded import Redis


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis that nobody else writes to."""
    place = tmp_path_factory.mktemp("redis")
    started = Redis("keys", place / "data", place / "redis.log", port=addresses.free_port(), durable=False)
    started.start()
    started.wait_ready()
    yield started
    started.stop()


@pytest.fixture
def client(server: Redis) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(server.url()) as client:
        client.flushall()
        yield client


def test_it_finds_the_biggest_of_every_type_and_changes_nothing(server: Redis, client: "redis.Redis") -> None:
    client.set("session:1", "x" * 200_000, ex=900)
    client.hset("limits", mapping={str(number): "y" * 20 for number in range(500)})
    for number in range(600):
        client.set(f"small:{number}", "z")
    found = redis_keys.biggest(server.url())
    assert [(key.name, key.type) for key in found.biggest[:2]] == [("session:1", "string"), ("limits", "hash")]
    assert found.biggest[0].size > 200_000
    assert (found.scanned, found.total, found.complete) == (602, 602, True)
    assert (found.by_type["string"][0], found.by_type["hash"][0], len(found.biggest)) == (601, 1, 20)
    assert (client.dbsize(), 800 < client.ttl("session:1") <= 900) == (602, True)


def test_it_stops_at_its_bounds_and_says_so(server: Redis, client: "redis.Redis") -> None:
    with client.pipeline() as several:
        for number in range(3000):
            several.set(f"key:{number}", "v")
        several.execute()
    by_number, by_time = redis_keys.biggest(server.url(), most_keys=400), redis_keys.biggest(server.url(), most_s=0.001)
    assert (by_number.complete, 400 <= by_number.scanned < 1000) == (False, True)
    assert (by_time.complete, 0 < by_time.scanned < 3000) == (False, True)


def test_it_keeps_only_the_beginning_of_a_name_and_no_control_characters(server: Redis, client: "redis.Redis") -> None:
    client.set(b"token:" + b"s" * 80, "1")
    client.set(b"\xff\x00\n", "1")
    names = {key.name for key in redis_keys.biggest(server.url()).biggest}
    assert names == {"token:" + "s" * 54 + "…", "\\xff??"}


def test_an_unreachable_redis_is_said_in_a_sentence() -> None:
    with pytest.raises(OutsideError, match="could not be reached"):
        redis_keys.biggest("redis://127.0.0.1:1/0")
