"""What a person says of a finished run: did it do what it was for?

The engine verifies that an effect took place; whether it helped is for people to say. It is said once, stands on the
run, in the audit and on the incident's timeline, and counts among what is learned about the action.
"""

from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.db import transaction

from novaops import environment as environments
from novaops.access.policy import can
from novaops.runbook import signals
from novaops.runbook.models import Run
from novaops.runbook.records import announce, record
from novaops.runbook.registry import actions
from novaops.runbook.requests import NotStarted
from novaops.runbook.states import RunStatus


def judge(run: Run, *, worked: bool, by: User) -> None:
    """Record that the succeeded run worked, or did not. Raises NotStarted where it cannot be said, or was said."""
    action = actions.get(run.action)
    if action is None:
        raise NotStarted("no-action", f"There is no action {run.action} any more.", run=run)
    verdict = can(by, action.risk.verb, environments.get(run.environment))
    if not verdict:
        raise NotStarted("not-permitted", verdict.sentence)
    with transaction.atomic():
        row = Run.objects.select_for_update().get(pk=run.pk)
        if row.status != RunStatus.SUCCEEDED:
            raise NotStarted("too-early", f"Run {run.pk} has not succeeded: there is nothing to judge.", run=row)
        if row.worked is not None:
            raise NotStarted("too-late", f"{row.judged_by} has said it already. Nothing changed.", run=row)
        row.worked, row.judged_by, row.judged_at = worked, by, datetime.now(UTC)
        row.save(update_fields=["worked", "judged_by", "judged_at"])
        announce(row)
        signals.run_judged.send(Run, run=row)
        record(row, "run.worked" if worked else "run.did-not-work", by=by)
