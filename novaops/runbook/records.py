"""How a run's changes become known: to open pages, to other apps, and to the audit chain."""

from typing import Any

from django.contrib.auth.models import User

from novaops import live
from novaops.audit import chain
from novaops.runbook import signals
from novaops.runbook.models import Run


def announce(run: Run) -> None:
    """Tell open pages and other apps that the run moved on."""
    for topic in (f"run:{run.pk}", "runs", f"overview:{run.environment}"):
        live.publish(topic)
    signals.run_changed.send(Run, run=run)


def record(
    run: Run,
    verb: str,
    *,
    by: User | None = None,
    via: str = "",
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Write an audit entry about the run; by None for the engine itself, via the way of the request unless told."""
    chain.record(
        verb,
        by=by,
        subject=run.subject,
        environment=run.environment,
        via=via or (run.via if by else "engine"),
        reason=reason or (run.reason if by else ""),
        incident=run.incident,
        run=run.pk,
        detail=detail,
    )
