"""The storm in short: `make chaos` is the whole of it."""

import subprocess
import sys

import pytest

from tests.servers import ROOT


@pytest.mark.long(30)
def test_thirty_runs_in_a_storm_keep_every_promise() -> None:
    storm = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--runs", "30", "--celery", "0", "--seed", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert storm.returncode == 0, storm.stdout + storm.stderr[-3000:]
    assert "Every promise was kept." in storm.stdout
