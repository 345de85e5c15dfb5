"""A simulated AWS of one's own: a real server process without a database behind it, and its clients."""

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from novaops.sandbox import addresses
from tests.forks import ForkedChild
from tests.servers import PAST_S, ROOT

ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
QUIET = {"NOVA_DATABASE_URL", "NOVA_REDIS_URL", "NOVA_RPC_URL", "NOVA_RPC_BACKUP_URL"}


class Simulated:
    """A server process, its control API and boto3 clients of it."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = addresses.free_port()
        self.url = f"http://{addresses.HOST}:{self.port}"
        self.child = ForkedChild(
            name="simulated AWS",
            argv=[sys.executable, "-m", "novaops.sandbox.serve", "--port", str(self.port), *options],
            log=directory / "serve.log",
            ready=lambda: "ready\n" in (directory / "serve.log").read_text(),
            environment={name: value for name, value in os.environ.items() if name not in QUIET},
            cwd=ROOT,
        )
        self._clients: dict[tuple[str, str], Any] = {}

    def start(self) -> None:
        self._clients.clear()
        self.child.log.unlink(missing_ok=True)
        self.child.start()
        self.child.wait_ready()

    def client(self, service: str, user_agent: str = "tests") -> Any:
        """A boto3 client that sends once."""
        if (service, user_agent) not in self._clients:
            config = ONCE.merge(Config(user_agent_extra=user_agent))
            made = boto3.client(service, endpoint_url=self.url, region_name="eu-west-1", config=config)
            self._clients[service, user_agent] = made
        return self._clients[service, user_agent]

    def control(self, path: str, body: Any = None) -> Any:
        """One call of the control API; POST where there is a body. Raises HTTPError where it refuses."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/_sandbox/{path}", data=data, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def _simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    # Two minutes in a second and metrics each half second: nobody waits for a rollout or a sample here.
    simulated = Simulated(tmp_path_factory.mktemp("simulated"), "--factor", "120", "--sample-s", "0.5")
    simulated.start()
    yield simulated
    simulated.child.stop()


@pytest.fixture
def simulated(_simulated: Simulated) -> Iterator[Simulated]:
    """The simulated AWS of this worker in its seeded, calm state; between the tests its world stands still."""
    _simulated.child.hold(still=False)
    _simulated.control("reset", {"seed": 1, "past_s": PAST_S})
    yield _simulated
    _simulated.child.hold(still=True)


def eventually(ask: Callable[[], Any], holds: Callable[[Any], bool], timeout_s: float = 60) -> Any:
    """Ask until the answer is as wanted. Fails with the last answer."""
    deadline = time.monotonic() + timeout_s
    while not holds(answer := ask()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s} s: {answer}")
        time.sleep(0.08)
    return answer
