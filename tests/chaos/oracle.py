"""Holds what NovaOps says of its runs against the ledger of what AWS was really asked and did (RELIABILITY G)."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from novaops.audit import chain
from novaops.audit.models import Entry
from novaops.runbook.models import Call, Run
from novaops.runbook.states import FINISHED, CallOutcome
from tests.chaos.strokes import index_of

SURE = (CallOutcome.OK, CallOutcome.OBSERVED)
AGAIN = (CallOutcome.NOT_SENT, CallOutcome.NOT_SEEN)
# From request to end, with every look, retry and taking over: a run that takes longer is stuck.
LIMIT_S = 120


@dataclass
class Evidence:
    """Everything that is known after the storm."""

    ledger: list[dict[str, Any]]
    unknown: dict[int, bool]
    marks: Path
    happened: list[tuple[str, float, float]]
    wanted: int

    def __post_init__(self) -> None:
        self.runs = list(Run.objects.prefetch_related("steps__calls").order_by("pk"))
        self.by_run: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for entry in self.ledger:
            self.by_run[entry["run"]].append(entry)
        self.verbs = Counter(Entry.objects.filter(run__isnull=False).values_list("run", "verb"))

    def effects(self, run: Run) -> int:
        """How often the world was changed on behalf of the run."""
        return sum(entry["changed"] for entry in self.by_run[run.pk])


def calls_of(run: Run) -> list[Call]:
    return [call for step in run.steps.all() for call in step.calls.all()]


def violations(evidence: Evidence) -> Iterator[str]:
    """Every broken promise, as a sentence."""
    yield from _lost(evidence)
    for run in evidence.runs:
        for broken in (*_effects(evidence, run), *_intents(evidence, run), *_end(run)):
            yield f"run {run.pk} ({run.idempotency_key}, {run.action}, {run.status}: {run.outcome}): {broken}"
    yield from _one_at_a_time(evidence.runs)
    verified = chain.verify()
    if verified.broken_seq is not None:
        yield f"the chain breaks at {verified.broken_seq}: {verified.reason}"
    if verified.entries != Entry.objects.count():
        yield "the chain has gaps"


def _lost(evidence: Evidence) -> Iterator[str]:
    known = {run.pk for run in evidence.runs}
    if len(known) < evidence.wanted:
        yield f"{evidence.wanted - len(known)} runs were lost"
    for run_id in set(evidence.by_run) - known:
        yield f"an effect of run {run_id}, which does not exist"


def _effects(evidence: Evidence, run: Run) -> Iterator[str]:
    """I1 and I2: at most one effect; what is called done was done, and what is called not done was not."""
    effects = evidence.effects(run)
    claimed = any(call.outcome in SURE for call in calls_of(run))
    if effects > 1:
        yield f"{effects} effects"
    if claimed and not effects:
        yield "an effect is claimed that is not in the ledger"
    if effects and not claimed:
        yield "the ledger has an effect that the run denies"
    if run.status == "succeeded" and not effects:
        yield "succeeded without an effect"
    for entry in evidence.by_run[run.pk]:
        if entry["changed"] and run.finished_at and entry["applied_at"] > run.finished_at.timestamp() + 0.05:
            yield f"the effect came {entry['applied_at'] - run.finished_at.timestamp():.1f} s after the run's end"


def _intents(evidence: Evidence, run: Run) -> Iterator[str]:
    """I3: a committed intent with its audit entry before every call, and an entry for every outcome."""
    calls = calls_of(run)
    signed = [call.signed_at.timestamp() for call in calls if call.signed_at]
    for entry in evidence.by_run[run.pk]:
        before = entry["signed_before"]
        if before is None:
            before = any(at <= entry["at"] for at in signed)
        if not before or not entry["authorized"]:
            yield "a call arrived without a committed intent"
    if len(evidence.by_run[run.pk]) > len(signed):
        yield "more calls arrived than were signed"
    if evidence.verbs[(run.pk, "effect.intended")] != len(calls):
        yield "intents without audit entries"
    for outcome in (*SURE, *AGAIN):
        recorded = evidence.verbs[(run.pk, f"effect.{outcome.value.replace('_', '-')}")]
        # What a commander had looked at once more had another outcome before, which the chain keeps too.
        checked = evidence.verbs[(run.pk, "run.checked")]
        if recorded != sum(call.outcome == outcome for call in calls) and not checked:
            yield f"{outcome.value}: outcomes and audit entries differ"


def _end(run: Run) -> Iterator[str]:
    """I6: nothing is left, nothing took for ever."""
    if run.status not in FINISHED:
        yield "it never ended"
        return
    if any(call.outcome == CallOutcome.OPEN for call in calls_of(run)):
        yield "it ended with an open call"
    if took_s(run) > LIMIT_S:
        yield f"it took {took_s(run):.0f} s"


def took_s(run: Run) -> float:
    return ((run.finished_at or datetime.now(UTC)) - run.created_at).total_seconds()


def _one_at_a_time(runs: list[Run]) -> Iterator[str]:
    """I4: of two runs on a target, one ends before the other is created."""
    last: dict[str, Run] = {}
    for run in sorted(runs, key=lambda one: one.created_at):
        before = last.get(run.target)
        if before and (before.finished_at is None or before.finished_at > run.created_at):
            yield f"runs {before.pk} and {run.pk} were active on {run.target} at a time"
        last[run.target] = run


def faults(evidence: Evidence) -> dict[tuple[str, str], set[int]]:
    """Which runs met which fault in which step."""
    met: dict[tuple[str, str], set[int]] = defaultdict(set)
    by_index = {index_of(run.idempotency_key): run for run in evidence.runs}
    for mark in evidence.marks.iterdir():
        index, _, rest = mark.name.partition(" ")
        if index.isdecimal() and int(index) in by_index:
            kind, step, where = rest.split(" ")
            met[(f"{'kill -9' if kind == 'kill' else 'frozen past the lease'}: {where}", step)].add(
                by_index[int(index)].pk
            )
    for entry in evidence.ledger:
        met[(f"AWS: {entry['trouble'] or 'answers'}", "effect")].add(entry["run"])
    for run in evidence.runs:
        for what, began_at, ended_at in evidence.happened:
            if run.created_at.timestamp() < ended_at and (run.finished_at or datetime.now(UTC)).timestamp() > began_at:
                met[(what, _step_at(run, began_at))].add(run.pk)
    return met


def _step_at(run: Run, at: float) -> str:
    started = [step for step in run.steps.all() if step.started_at and step.started_at.timestamp() <= at]
    return "begin" if not started else "effect" if started[-1].kind == "effect" else "wait"


def outcome(evidence: Evidence, run: Run) -> str:
    """The column of the matrix that the run counts in."""
    if run.pk in evidence.unknown:
        return "unknown, happened" if evidence.unknown[run.pk] else "unknown, did not"
    if run.status == "failed":
        return "failed, happened" if evidence.effects(run) else "failed, nothing"
    return run.status


COLUMNS = ("succeeded", "failed, nothing", "failed, happened", "unknown, happened", "unknown, did not")


def matrix(evidence: Evidence) -> Iterator[str]:
    """Fault x step x outcome, a line each."""
    named = {run.pk: run for run in evidence.runs}
    yield f"{'fault':34} {'step':7} {'runs':>5} {'calls':>6} {'effects':>8}  " + "  ".join(f"{c:>17}" for c in COLUMNS)
    rows = {("every run", ""): set(named)} | dict(sorted(faults(evidence).items()))
    for (fault, step), pks in rows.items():
        runs = [named[pk] for pk in pks if pk in named]
        counts = Counter(outcome(evidence, run) for run in runs)
        calls = sum(len(evidence.by_run[run.pk]) for run in runs)
        effects = sum(evidence.effects(run) for run in runs)
        cells = "  ".join(f"{counts[column]:>17}" for column in COLUMNS)
        yield f"{fault:34} {step:7} {len(runs):>5} {calls:>6} {effects:>8}  {cells}"
