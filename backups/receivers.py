"""A run that changed backups lets them be read again at once."""

from typing import Any

from backups.models import Lease
from novaops.runbook.models import Run
from novaops.runbook.registry import actions
from novaops.runbook.signals import run_finished


def connect() -> None:
    """Listen; called once, when the apps are ready."""
    run_finished.connect(on_run_finished, dispatch_uid="backups.read_again")


def on_run_finished(*, run: Run, **_: Any) -> None:
    """Make the environment due where the run's action is one of ours."""
    action = actions.get(run.action)
    if action and action.__module__.startswith("backups."):
        Lease.make_due(run.environment)
