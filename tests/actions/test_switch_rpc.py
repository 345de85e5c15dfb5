"""Switch the Stellar RPC: the processor reads on from its cursor at the other one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.actions.switch_rpc import SwitchRpc
from novaops import environment as environments
from novaops.audit.models import Entry
from novaops.cloud import ecs, task_definitions
from novaops.runbook.action import Context
from novaops.runbook.models import Call, Plan, Run
from tests.actions.conftest import sent_by
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def variables() -> dict[str, str]:
    environment = environments.default()
    running = ecs.describe_service(environment, "nova", "nova-event-processor").primary.task_definition
    container = task_definitions.describe(environment, running).container("processor")
    return {entry["name"]: entry["value"] for entry in container["environment"]}


def test_it_reads_on_at_the_backup_and_gives_no_secret_away(
    reading: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    reading.scenario("rpc-down")
    before = variables()
    run = run_through(responder, "switch-rpc", to="backup")
    assert run.status == "succeeded", run.outcome
    assert sent_by(run, reading) == ["RegisterTaskDefinition", "UpdateService"]
    assert variables() == {**before, "RPC_URL": str(environments.default().events.rpc_backup_url)}
    assert run.inverse.params == {"to": "primary"}
    kept = [*Entry.objects.values_list("detail_json", flat=True), *Call.objects.values_list("command_line", flat=True)]
    kept += [json.dumps([plan.facts, plan.steps, plan.changes]) for plan in Plan.objects.all()]
    assert not [text for text in kept if before["DATABASE_URL"] in text or "/rpc/" in text]


def test_an_ill_rpc_is_refused(reading: Nova, plan_of: Callable[..., Plan], responder: User) -> None:
    reading.scenario("rpc-down")
    refusals = " ".join(plan_of(responder, "switch-rpc", to="primary").refusals)
    assert "The processor reads the primary RPC already." in refusals
    assert "The primary RPC: The RPC answered HTTP 503 without JSON" in refusals


READY = {
    "status": "ACTIVE",
    "desired": 1,
    "rollout": "COMPLETED",
    "deployment": "ecs-svc/1",
    "task_definition": "nova-event-processor:1",
    "reads": "primary",
}
FIT = {"cursor": 5000, "ill": "", "same_network": True, "latest": 5010, "oldest": 1000}


def refusals(**changed: Any) -> list[str]:
    facts = {**READY, "now": FIT, **changed}
    ctx = Context(environment=environments.default(), target="", params={"to": "backup"}, facts=facts)
    return [check.sentence for check in SwitchRpc().prechecks(ctx) if check.state == "failed"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"now": {**FIT, "same_network": False}}, "is on another network"),
        ({"now": {**FIT, "oldest": 5002}}, "begins at ledger 5002, the cursor is at 5000"),
        ({"now": {**FIT, "latest": 4999}}, "is behind the cursor"),
        ({"reads": "a secret"}, "RPC_URL comes from a secret"),
        ({"rollout": "IN_PROGRESS"}, "still in progress"),
    ],
)
def test_an_rpc_that_does_not_fit_is_refused(changed: dict[str, Any], sentence: str) -> None:
    (refusal,) = refusals(**changed)
    assert sentence in refusal


def test_one_that_begins_right_behind_the_cursor_will_do() -> None:
    assert refusals(now={**FIT, "oldest": 5001, "latest": 5000}) == []
