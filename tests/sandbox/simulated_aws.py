"""A simulated AWS for the tests of its services: moto's server with our operations, and a clock that the test moves."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from novaops.sandbox.world import world

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REGION = "eu-west-1"


class Clock:
    """The world's time, standing still until the test lets it pass."""

    def __init__(self) -> None:
        self.now = START
        self._held = ExitStack()

    def passes(self, simulated_s: float) -> None:
        """Let so many simulated seconds pass and everything happen that was due in them."""
        self.set(self.now + timedelta(seconds=world.seconds(simulated_s)))

    def set(self, moment: datetime) -> None:
        self._held.close()
        self.now = moment
        self._held.enter_context(world.at(moment))
        world.advance()

    def release(self) -> None:
        self._held.close()


@contextmanager
def fresh_world(*, seed: int = 7, factor: float = 20) -> Iterator[Clock]:
    """The process's world as if it had just begun, its clock in the hand of the test."""
    world.reset(seed=seed, factor=factor)
    clock = Clock()
    clock.set(START)
    try:
        yield clock
    finally:
        clock.release()


@contextmanager
def served() -> Iterator[str]:
    """The address of moto's server in a thread of this process."""
    application = _advancing(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


session = boto3.Session("testing", "testing")


@cache
def client(service: str, address: str, region: str = REGION) -> Any:
    config = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
    return session.client(service, region, endpoint_url=address, config=config)


def refused(code: str, call: Callable[..., Any], **params: Any) -> str:
    """The message with which AWS refuses the call; the error must have that code."""
    with pytest.raises(ClientError) as failure:
        call(**params)
    assert failure.value.response["Error"]["Code"] == code, failure.value
    return str(failure.value.response["Error"]["Message"])


def _advancing(application: Callable[..., Any]) -> Callable[..., Any]:
    def serve(environ: Any, start_response: Any) -> Any:
        with world.lock:
            world.advance()
            return list(application(environ, start_response))

    return serve
