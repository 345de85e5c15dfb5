"""Real Celery workers on a test's own database."""

import os
import sys
from pathlib import Path
from urllib.parse import quote

from django.db import connection

from novaops.sandbox.child import Child
from tests.forks import ForkedChild
from tests.servers import ROOT

CELERY = (sys.executable, "-m", "celery", "-A", "novaops", "worker", "-l", "INFO")
CALM = ("--without-gossip", "--without-mingle")
# Lease and sweep as short as they may be, so that a test need not wait for them.
QUICK = {"NOVAOPS_RUN_LEASE_S": "3", "NOVAOPS_SWEEP_EVERY_S": "1"}


def database_url() -> str:
    """The address of the test's own database, for another process."""
    chosen = connection.settings_dict
    return f"postgres://{chosen['USER']}@{quote(chosen['HOST'], safe='')}/{chosen['NAME']}"


def worker(log: Path, *, queues: str = "runs", beat: bool = False, processes: int = 1) -> Child:
    """A worker, not started yet; with `beat` it also rings the periodic tasks."""
    clock = ["-B", "-s", str(log.with_suffix(".beat"))] if beat else []
    return ForkedChild(
        name="worker",
        argv=[*CELERY, "-Q", queues, "-c", str(processes), *CALM, *clock],
        log=log,
        ready=lambda: log.exists() and " ready." in log.read_text(),
        environment={**os.environ, **QUICK, "DATABASE_URL": database_url()},
        cwd=ROOT,
    )
