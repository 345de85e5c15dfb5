"""Nova's own Redis, asked directly."""

import os
import socket
from time import monotonic

import pytest

from novaops.cloud import nova_redis
from novaops.cloud.errors import OutsideError


def test_it_tells_memory_policy_and_counts(nova_redis_client):
    nova_redis_client.set("a", 1)
    nova_redis_client.get("a")
    nova_redis_client.get("b")
    found = nova_redis.info(os.environ["NOVA_REDIS_URL"])
    assert found.role == "master"
    assert min(found.hits, found.misses) >= 1
    assert 0 < found.memory_used < found.memory_limit
    assert found.policy
    assert found.clients >= 1


@pytest.fixture
def nova_redis_client(request):
    return request.getfixturevalue("nova_redis")


def test_wrong_credentials_are_a_sentence_without_them(nova_redis_client):
    with pytest.raises(OutsideError, match="refused the credentials") as failure:
        nova_redis.info(os.environ["NOVA_REDIS_URL"].replace("redis://", "redis://eve:hunter2@"))
    assert "hunter2" not in str(failure.value)


def test_one_that_is_not_there_is_a_sentence():
    with pytest.raises(OutsideError, match="could not be reached"):
        nova_redis.info("redis://:hunter2@127.0.0.1:9/0")


def test_one_that_hangs_is_asked_once_and_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server:
        started = monotonic()
        with pytest.raises(OutsideError, match=r"within 0\.3 s"):
            nova_redis.info(f"redis://127.0.0.1:{server.getsockname()[1]}/0", timeout_s=0.3)
    assert monotonic() - started < 2


def test_without_an_address_it_says_so():
    with pytest.raises(OutsideError, match="No connection to Nova's Redis is configured"):
        nova_redis.info("")
