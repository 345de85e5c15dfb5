"""Keeps the record of a restore: entered when its run begins, filled in when it is over."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from backups.contents import CONNECT, OF_TABLE
from backups.models import Restore
from backups.names import RESTORED, named
from novaops.runbook.models import Run, Step
from novaops.runbook.states import FINISHED, RunStatus, StepState

# The runs that restore, and whether they are rehearsals.
RESTORING = {"restore-snapshot": False, "restore-to-time": False, "restore-drill": True}


def on_run_changed(*, run: Run, **_: Any) -> None:
    """Enter a restore that has begun, fill in one that is over or cut over to; in the transaction of the run."""
    if run.action == "cut-over" and run.status == RunStatus.SUCCEEDED:
        _used(run)
    if run.action not in RESTORING or run.started_at is None:
        return
    record, _created = Restore.objects.get_or_create(run=run, defaults=_beginning(run))
    if run.status in FINISHED:
        _fill_in(record, run)


def _used(run: Run) -> None:
    """Only now is what was lost back: the time to recover ends with the first cut-over."""
    found = Restore.objects.filter(environment=run.environment, instance=run.params.get("instance"), used_at=None)
    for record in found.select_for_update():
        record.used_at = run.finished_at or run.created_at
        record.rto_s = (record.used_at - record.asked_at).total_seconds()
        record.save(update_fields=["used_at", "rto_s"])


def _beginning(run: Run) -> dict[str, Any]:
    source = run.plan.facts["source"]
    name = str(named(RESTORED, date.fromisoformat(run.plan.facts["day"])))
    return {
        "environment": run.environment,
        "incident": run.incident,
        "drill": RESTORING[run.action],
        "kind": Restore.Kind.SNAPSHOT if "snapshot" in source else Restore.Kind.TIME,
        "source": source["name"],
        "source_at": moment(source["at"]),
        "instance": name.replace("<run>", str(run.pk)),
        "asked_at": run.queued_at,
    }


def _fill_in(record: Restore, run: Run) -> None:
    steps = {step.key: step for step in run.steps.all()}
    tables = [step.result for key, step in steps.items() if key.startswith(OF_TABLE) and step.result.get("name")]
    proven = run.status == RunStatus.SUCCEEDED and all(step.state == StepState.DONE for step in _proofs(steps))
    record.state = Restore.State.PROVEN if proven else Restore.State.FAILED
    record.sentence = run.outcome
    record.tables = tables
    record.available_at = _ended(steps, "available")
    record.version = steps[CONNECT].result.get("version", "") if CONNECT in steps else ""
    record.same_schema = steps[CONNECT].result.get("same_schema") if CONNECT in steps else None
    record.proven_at = _last_proof(steps) if proven else None
    _measure(record, tables)
    record.save()


def _ended(steps: dict[str, Step], key: str) -> datetime | None:
    step = steps.get(key)
    return step.finished_at if step and step.state == StepState.DONE else None


def _proofs(steps: dict[str, Step]) -> list[Step]:
    """The steps that ask the new database."""
    return [step for key, step in steps.items() if key == CONNECT or key.startswith(OF_TABLE)]


def _last_proof(steps: dict[str, Step]) -> datetime | None:
    return max((step.finished_at for step in _proofs(steps) if step.finished_at), default=None)


def _measure(record: Restore, tables: list[dict[str, Any]]) -> None:
    record.newest_at = _most(max, tables, "newest_at")
    known = [table for table in tables if table["lost_rows"] is not None]
    record.lost_rows = sum(table["lost_rows"] for table in known) if known else None
    record.lost_from = _most(min, tables, "lost_from")
    record.lost_until = _most(max, tables, "lost_until")
    record.rto_s = (record.proven_at - record.asked_at).total_seconds() if record.proven_at else None
    record.rpo_s = _rpo_s(record, known)


def _rpo_s(record: Restore, known: list[dict[str, Any]]) -> float | None:
    """The longest time, over the tables, of which rows are missing: up to the asking, as later rows are no loss yet."""
    if not record.proven_at or not known:
        return None
    missing = [timedelta()]
    for table in known:
        newest, first, last = (moment(table[name]) for name in ("newest_at", "lost_from", "lost_until"))
        # An empty table lacks all from its first row on.
        if first and last and first <= record.asked_at:
            missing.append(min(last, record.asked_at) - (newest or first))
    return max(missing).total_seconds()


def _most(pick: Any, tables: Iterable[dict[str, Any]], name: str) -> datetime | None:
    found: datetime | None = pick((moment(table[name]) for table in tables if table[name]), default=None)
    return found


def moment(text: str | None) -> datetime | None:
    """A moment as facts and results keep it."""
    return datetime.fromisoformat(text) if text else None
