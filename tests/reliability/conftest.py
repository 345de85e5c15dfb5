"""A real Celery worker on this test's database, to be killed."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from novaops.sandbox.child import Child
from tests.servers import ROOT

CALM = ("-Q", "runs", "--without-gossip", "--without-mingle")
QUICK = {"NOVAOPS_RUN_LEASE_S": "3", "NOVAOPS_SWEEP_EVERY_S": "1"}


def database_url() -> str:
    """The address of the test's own database, for another process."""
    chosen = connection.settings_dict
    return f"postgres://{chosen['USER']}@{quote(chosen['HOST'], safe='')}/{chosen['NAME']}"


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path) -> Iterator[Callable[[], Child]]:
    """Starts a Celery worker and waits until it is ready: `worker = start_worker()`."""
    started: list[Child] = []

    def start() -> Child:
        log = tmp_path / f"worker-{len(started)}.log"
        worker = Child(
            name="worker",
            argv=[sys.executable, "-m", "celery", "-A", "novaops", "worker", "-c", "1", "-l", "INFO", *CALM],
            log=log,
            ready=lambda: log.exists() and " ready." in log.read_text(),
            environment={**os.environ, **QUICK, "DATABASE_URL": database_url()},
            cwd=ROOT,
        )
        started.append(worker)
        worker.start()
        worker.wait_ready(60)
        return worker

    yield start
    for worker in started:
        worker.stop()


def kill(worker: Child) -> None:
    """End the worker and its pool as kill -9 does: nothing is finished, nothing is told."""
    if worker.process is None:
        raise AssertionError("the worker was not started")
    os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait(10)
