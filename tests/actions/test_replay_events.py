"""Replay contract events: from the first gap, by START_BLOCK and back, until nothing is missing."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User

from dashboard import replay
from dashboard.actions.replay_events import ReplayEvents, _covered
from novaops import environment as environments
from novaops.cloud import ecs, nova_db, task_definitions
from novaops.runbook.action import Context, Verdict
from novaops.runbook.models import Plan, Run
from tests.actions.conftest import sent_by
from tests.sandbox.conftest import eventually
from tests.servers import Nova

pytestmark = pytest.mark.django_db


@pytest.fixture
def events(reading: Nova) -> Iterator[psycopg.Connection[Any]]:
    """A connection to Nova's database, while the event processor writes to it."""
    with psycopg.connect(os.environ["NOVA_DATABASE_URL"], autocommit=True) as connection:
        yield connection


def cursor() -> int:
    environment = environments.default()
    return nova_db.processed_ledger(environment.database.dsn, environment.events.cursor_table)


def lose(events: "psycopg.Connection[Any]", first: int, last: int) -> list[tuple[str, int]]:
    """Take the events of these ledgers out of the table, as if the processor had missed them."""
    gone = events.execute(
        "DELETE FROM contract_events WHERE ledger BETWEEN %s AND %s RETURNING event_id, ledger", [first, last]
    )
    return sorted(gone.fetchall())


def running() -> task_definitions.Definition:
    environment = environments.default()
    service = ecs.describe_service(environment, "nova", "nova-event-processor")
    return task_definitions.describe(environment, service.primary.task_definition)


def test_it_fills_the_gap_and_clears_start_block(
    aws: Nova,
    events: "psycopg.Connection[Any]",
    plan_of: Callable[..., Plan],
    run_through: Callable[..., Run],
    responder: User,
) -> None:
    before, last = running(), cursor() - 5
    lost = lose(events, last - 25, last)
    plan = plan_of(responder, "replay-events")
    assert (plan.refusals, plan.facts["start_block"]) == ([], lost[0][1])
    assert plan.facts["now"]["missing"] == len(lost)
    assert plan.changes[0]["after"] == f"{lost[0][1]} until the processor has caught up, then not set"
    aws.faults([{"service": "ecs", "operation": "UpdateService", "kind": "drop-after", "times": 1}])
    run = run_through(responder, "replay-events")
    assert run.status == "succeeded", run.outcome
    assert sent_by(run, aws) == ["RegisterTaskDefinition", "UpdateService", "UpdateService"]
    assert run.steps.get(key="register").calls.get().command_line.count(f'"START_BLOCK", "value": "{lost[0][1]}"') == 1
    assert running().arn == before.arn
    stored = events.execute("SELECT count(*) FROM contract_events WHERE event_id = ANY(%s)", [[e for e, _ in lost]])
    assert stored.fetchone() == (len(lost),)
    assert cursor() > run.steps.get(key="rollout").result["head"]


def test_coverage_is_verified_in_batches_that_go_on_where_the_last_one_ended(
    events: "psycopg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "COUNT_S", 0.0)
    monkeypatch.setattr(replay, "PAGE_EVENTS", 5)
    began = cursor()
    head = eventually(cursor, lambda now: now > began + 20) - 5
    start, results, looks = head - 40, {"rollout": {"head": head}}, []
    while not looks or looks[-1].verdict is Verdict.NOT_YET:
        looks.append(_covered(ready(start_block=start, results=results)))
        results["coverage"] = looks[-1].result
    assert looks[-1].verdict is Verdict.DONE, looks[-1].sentence
    stored = events.execute("SELECT count(*) FROM contract_events WHERE ledger BETWEEN %s AND %s", [start, head])
    assert looks[-1].result == {
        "first": start,
        "counted_to": head,
        "missing": 0,
        "duplicates": stored.fetchone()[0],
        "first_missing": None,
    }
    assert len(looks) > 3
    assert [look.percent for look in looks[:-1]] == sorted(look.percent for look in looks[:-1])


def test_a_leftover_start_block_is_cleared_by_a_revision_without_it() -> None:
    steps = [step.key for step in ReplayEvents().steps(ready(leftover=True))]
    assert steps == ["register", "deploy", "rollout", "drain", "register-clear", "clear", "rollout-clear", "coverage"]
    (_, _, _, _, register, *_) = ReplayEvents().steps(ready(leftover=True))
    assert register.params["without"] == ["START_BLOCK"]


def test_a_ledger_that_a_plan_chose_stays_chosen(
    events: "psycopg.Connection[Any]", plan_of: Callable[..., Plan], responder: User
) -> None:
    plan = plan_of(responder, "replay-events")
    chosen = plan.facts["start_block"] - 7
    ctx = Context(environment=environments.default(), target=plan.target, params={}, facts={"start_block": chosen})
    assert ReplayEvents().look(ctx)["start_block"] == chosen


NOW = {
    "cursor": 5000,
    "latest": 5010,
    "oldest": 1000,
    "ledger_s": 5.0,
    "gaps": [{"first": 3000, "last": 3010, "known_to": ["primary", "backup"]}],
    "missing": 12,
    "duplicates": 900,
    "counted_to": 5000,
}


def ready(results: dict[str, Any] | None = None, **changed: Any) -> Context:
    facts = {
        "status": "ACTIVE",
        "desired": 1,
        "rollout": "COMPLETED",
        "deployment": "ecs-svc/1",
        "task_definition": "nova-event-processor:1",
        "reads": "primary",
        "leftover": False,
        "start_block": 3000,
        "now": NOW,
    }
    return Context(
        environment=environments.default(), target="", params={}, facts={**facts, **changed}, results=results or {}
    )


def sentences(ctx: Context, state: str) -> str:
    return " ".join(check.sentence for check in ReplayEvents().prechecks(ctx) if check.state == state)


def test_what_fits_is_not_refused_and_says_until_when_it_can_be_done() -> None:
    assert sentences(ready(), "failed") == ""
    assert "3000 is unreplayable in 2 h 46 min" in sentences(ready(), "passed")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"start_block": 1199}, "To accept the loss, replay from 1200 or later."),
        ({"start_block": 900}, "from an archive that serves getLedgers, or from the data lake"),
        ({"start_block": 5002}, "the ledgers between would be skipped"),
        ({"reads": "another", "start_block": None, "now": {}}, "nova.toml does not declare"),
        (
            {"now": {**NOW, "gaps": [{"first": 3000, "last": 3010, "known_to": ["backup"]}]}},
            "that the primary RPC leaves out and the backup RPC has: switch the RPC first",
        ),
    ],
)
def test_what_cannot_be_replayed_is_refused(changed: dict[str, Any], sentence: str) -> None:
    assert sentence in sentences(ready(**changed), "failed")


def test_it_warns_of_a_gap_before_the_start_and_of_a_leftover() -> None:
    warned = sentences(ready(start_block=4000, leftover=True), "warning")
    assert "begins behind it and leaves it open" in warned
    assert "START_BLOCK is still set" in warned


def test_without_a_gap_it_begins_behind_the_last_confirmed_ledger() -> None:
    found = replay.Survey(cursor=70, latest=80, oldest=1, ledger_s=5)
    assert found.suggestion == 71
    assert "a restart is enough" in sentences(ready(now={**NOW, "gaps": []}), "warning")
