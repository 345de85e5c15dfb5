"""Replay contract events from a ledger."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from django import forms

from dashboard import replay, rpcs
from dashboard.task_definitions import variables
from dashboard.templatetags.nova import duration
from novaops.cloud import ecs, nova_db, stellar_rpc, task_definitions
from novaops.runbook import rollouts
from novaops.runbook.action import (
    MOVING,
    Action,
    AnyStep,
    Change,
    Context,
    FromStep,
    Precheck,
    Progress,
    Risk,
    Verdict,
    Verify,
    Wait,
)
from novaops.runbook.registry import register
from novaops.words import are, counted, there_are

VARIABLE = "START_BLOCK"
DRAIN_TIMEOUT_S = 4 * 3600.0
COVERAGE_TIMEOUT_S = 3600.0


class StartForm(forms.Form):
    """From where to read again."""

    start_block = forms.IntegerField(
        min_value=2,
        max_value=2**31 - 1,
        required=False,
        label="From ledger",
        help_text="Empty means the first ledger that was missed, or the one behind the last confirmed.",
    )


@register
class ReplayEvents(Action):
    """Let the event processor read again from a ledger by START_BLOCK, watch it catch up, and clear START_BLOCK."""

    key = "replay-events"
    title = "Replay contract events"
    service = "events"
    risk = Risk.DESTRUCTIVE
    runbook_section = "Common Alert Runbooks: Contract Event Processing Lag"
    iam_permissions = (
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTaskDefinitions",
        "ecs:RegisterTaskDefinition",
        "ecs:TagResource",
        "ecs:UpdateService",
        "iam:PassRole",
    )
    expected_s = 600.0
    affects = "New events wait until the old ones are read again. An event that is stored already is not stored twice."
    undo = (
        "Nothing to undo: only missing events are added. Stopped midway START_BLOCK stays set: run it again, "
        "it goes on where events are still missing."
    )
    form = StartForm

    def look(self, ctx: Context) -> dict[str, Any]:
        """The ECS service, the RPC's ledgers, the cursor, what was missed, and from where to read again.

        The ledger that a plan chose stays chosen when its run begins, although the cursor has moved on.
        """
        service = ctx.environment.events
        facts = rollouts.facts(ctx.environment, service)
        container = task_definitions.describe(ctx.environment, facts["task_definition"]).container(service.container)
        reads = rpcs.read_by(ctx.environment, container)
        facts |= {"reads": reads, "leftover": VARIABLE in variables(container), "start_block": None, MOVING: {}}
        if reads not in rpcs.DECLARED:
            return facts
        found = replay.survey(ctx.environment, reads)
        start = ctx.params.get("start_block") or ctx.facts.get("start_block") or found.suggestion
        return {**facts, "start_block": start, MOVING: _moving(ctx, reads, start, found)}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """The processor can be deployed, and its RPC has every ledger from the first to the cursor."""
        facts, reads, start = ctx.facts, ctx.facts["reads"], ctx.facts["start_block"]
        yield from rollouts.prechecks(ctx)
        if start is None:
            sentence = f"The processor reads {reads}, which nova.toml does not declare: nothing can be planned."
            yield Precheck(state="failed", sentence=sentence)
            return
        if facts["leftover"]:
            sentence = "START_BLOCK is still set from an earlier replay: every restart replays. This run clears it."
            yield Precheck(state="warning", sentence=sentence)
        now = facts[MOVING]
        yield replay.retention(start, now, reads)
        yield Precheck.require(
            start <= now["cursor"] + 1,
            f"The last confirmed ledger is {now['cursor']}.",
            f"{start} is beyond the last confirmed ledger {now['cursor']}: the ledgers between would be skipped.",
        )
        yield from _about_gaps(now["gaps"], start, reads)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """The variable for a while, and what is read again."""
        start, now = ctx.facts["start_block"], ctx.facts[MOVING]
        if start is None:
            return
        yield Change(what=VARIABLE, before="not set", after=f"{start} until the processor has caught up, then not set")
        ledgers = max(0, now["latest"] - start + 1)
        pages = -(-ledgers // replay.SCAN_LEDGERS)
        worth = duration(ledgers * now["ledger_s"])
        yield Change(
            what="Cursor",
            before=str(now["cursor"]),
            after=f"from {start}: {counted(ledgers, 'ledger')} ({worth} of the chain), "
            f"{counted(pages, 'scan')} of the RPC or more",
        )
        so_far = "" if now["counted_to"] >= now["cursor"] else f", counted as far as ledger {now['counted_to']}"
        duplicates = f"{now['duplicates']} duplicates are left alone"
        yield Change(what="Missing events", before=str(now["missing"]), after=f"they are added; {duplicates}{so_far}")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """Deploy with START_BLOCK, let it catch up, deploy without, and compare what is stored with the RPC."""
        service, stored, start = ctx.environment.events, ctx.facts["task_definition"], ctx.facts["start_block"]
        if start is None:
            return
        yield rollouts.register_copy(service, stored, {"variables": {VARIABLE: str(start)}})
        yield rollouts.deploy(service, FromStep("register", "task_definition"))
        yield Wait(
            key="rollout",
            title=f"The new task starts at ledger {start}",
            look=_rolled_out,
            timeout_s=rollouts.ROLLOUT_TIMEOUT_S,
        )
        yield Wait(key="drain", title="The processor catches up", look=_drained, timeout_s=DRAIN_TIMEOUT_S)
        cleared: str | FromStep = stored
        if ctx.facts["leftover"]:
            yield rollouts.register_copy(service, stored, {"without": [VARIABLE]}, key="register-clear")
            cleared = FromStep("register-clear", "task_definition")
        yield rollouts.deploy(service, cleared, key="clear")
        yield rollouts.wait_for_rollout(service, of="clear", key="rollout-clear")
        yield Verify(key="coverage", title="Every event is stored", look=_covered, timeout_s=COVERAGE_TIMEOUT_S)


def _moving(ctx: Context, reads: str, start: int, found: replay.Survey) -> dict[str, Any]:
    """The numbers of the dry run: nothing is written, the RPC and the database are only compared."""
    first = max(start, found.oldest + replay.MARGIN_LEDGERS)
    counted = replay.count(ctx.environment, reads, first, found.cursor)
    return {
        "cursor": found.cursor,
        "latest": found.latest,
        "oldest": found.oldest,
        "ledger_s": found.ledger_s,
        "gaps": [{"first": gap.first, "last": gap.last, "known_to": list(gap.known_to)} for gap in found.gaps],
        "missing": counted.missing,
        "duplicates": counted.duplicates,
        "counted_to": counted.counted_to,
    }


def _about_gaps(gaps: list[dict[str, Any]], start: int, reads: str) -> Iterable[Precheck]:
    if not gaps:
        sentence = "No gap was found up to the last confirmed ledger: where it only lags, a restart is enough."
        yield Precheck(state="warning", sentence=sentence)
    for gap in gaps:
        where = f"Between ledgers {gap['first']} and {gap['last']} events are missing"
        if reads not in gap["known_to"]:
            others = " and ".join(gap["known_to"])
            sentence = f"{where} that the {reads} RPC leaves out and the {others} RPC has: switch the RPC first."
            yield Precheck(state="failed", sentence=sentence)
        elif gap["first"] < start:
            yield Precheck(state="warning", sentence=f"{where}: this replay begins behind it and leaves it open.")
        else:
            yield Precheck(state="passed", sentence=f"{where}; this replay covers them.")


def _cursor(ctx: Context) -> int:
    return nova_db.processed_ledger(ctx.environment.database.dsn, ctx.environment.events.cursor_table)


def _rolled_out(ctx: Context) -> Progress:
    progress = rollouts.rollout(ctx, ctx.environment.events, str(ctx.results["deploy"]["deployment"]))
    if progress.verdict is not Verdict.DONE:
        return progress
    head = stellar_rpc.health(rpcs.address(ctx.environment, ctx.facts["reads"]) or "").latest_ledger
    return replace(progress, result={"head": head})


def _drained(ctx: Context) -> Progress:
    """Done when the cursor is past the ledger that was the newest when the new task began.

    No other task can have moved it there, and the new one reads every ledger from START_BLOCK on in order.
    """
    service, head, start = ctx.environment.events, int(ctx.results["rollout"]["head"]), int(ctx.facts["start_block"])
    found = ecs.describe_service(ctx.environment, service.cluster, service.service)
    if found.primary.task_definition != ctx.results["register"]["task_definition"]:
        sentence = f"Another deployment, {found.primary.id}, took the place of ours before it had caught up."
        return Progress(verdict=Verdict.FAILED, sentence=sentence)
    cursor = _cursor(ctx)
    sentence = f"The cursor is at {cursor}, {counted(max(0, head - cursor), 'ledger')} before the head of then, {head}"
    if not found.running:
        sentence += "; no task runs"
    percent = round(100 * min(max(cursor - start, 0) / max(1, head - start), 0.99))
    return Progress(verdict=Verdict.DONE if cursor > head else Verdict.NOT_YET, sentence=sentence, percent=percent)


def _covered(ctx: Context) -> Progress:
    """Whether everything the RPC has from the first ledger to the head of then is stored.

    Counted in batches: each look goes on behind the ledger to which the last one, in whatever worker, has come.
    """
    start, head = int(ctx.facts["start_block"]), int(ctx.results["rollout"]["head"])
    so_far = replay.Count(**ctx.results.get("coverage") or {"first": start, "counted_to": start - 1})
    found = so_far.plus(replay.count(ctx.environment, ctx.facts["reads"], so_far.counted_to + 1, head))
    events = counted(found.duplicates, "event")
    stored = f"{events} of ledgers {start} to {found.counted_to} {are(found.duplicates)} stored"
    if found.missing:
        sentence = f"{there_are(found.missing, 'event')} still missing, from ledger {found.first_missing} on; {stored}."
        return Progress(verdict=Verdict.FAILED, sentence=sentence)
    if found.counted_to < head:
        percent = round(100 * (found.counted_to - start + 1) / (head - start + 1))
        sentence = f"{stored}; {there_are(head - found.counted_to, 'ledger')} still to be compared"
        return Progress(verdict=Verdict.NOT_YET, sentence=sentence, percent=percent, result=asdict(found))
    return Progress(verdict=Verdict.DONE, sentence=f"All {stored}, without a gap.", result=asdict(found))
