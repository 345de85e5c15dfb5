"""A real Celery worker on this test's database, to be killed."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from novaops.sandbox.child import Child
from tests.workers import worker


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Starts a Celery worker and waits until it is ready."""
    started: list[Child] = []

    def start(queues: str = "runs") -> Child:
        started.append(worker(tmp_path / f"worker-{len(started)}.log", queues=queues))
        started[-1].start()
        started[-1].wait_ready(60)
        return started[-1]

    yield start
    for one in started:
        one.stop()


def kill(victim: Child) -> None:
    """End the worker and its pool as kill -9 does: nothing is finished, nothing is told."""
    if victim.process is None:
        raise AssertionError("the worker was not started")
    os.killpg(victim.process.pid, signal.SIGKILL)
    victim.process.wait(10)
