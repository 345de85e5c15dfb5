"""Restart the API server: one forced deployment, waited for by its own id."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import ecs
from novaops.runbook.models import Plan, Run
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def test_the_plan_shows_the_exact_call(aws: Nova, plan_of: Callable[..., Plan], responder: User) -> None:
    plan = plan_of(responder, "restart-api")
    assert plan.state == Plan.State.READY, plan.sentence
    assert [call["command_line"] for call in plan.calls] == [
        "aws ecs update-service --cluster nova --service nova-api --force-new-deployment"
    ]
    assert plan.refusals == []


def test_it_replaces_every_task_by_one_deployment(aws: Nova, run_through: Callable[..., Run], responder: User) -> None:
    before = ecs.describe_service(environments.default(), "nova", "nova-api").primary.id
    run = run_through(responder, "restart-api")
    assert run.status == "succeeded", run.outcome
    assert [(one["operation"], one["outcome"]) for one in aws.effects()] == [("UpdateService", "ok")]
    after = ecs.describe_service(environments.default(), "nova", "nova-api").primary
    assert (after.id, after.rollout_state) == (run.steps.get(key="deploy").result["deployment"], "COMPLETED")
    assert after.id != before
    assert f"novaops/run-{run.pk}" in aws.effects()[0]["user_agent"]


def test_it_is_refused_while_another_rollout_is_in_progress(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    params = {"cluster": "nova", "service": "nova-api", "forceNewDeployment": True}
    ecs.UPDATE_SERVICE(environments.default(), params, fence=lambda: True, run_id=0)
    plan = plan_of(responder, "restart-api")
    assert "is still in progress" in " ".join(plan.refusals)


@pytest.mark.parametrize("kind", ["drop-after", "error-after"])
def test_an_answer_lost_after_the_effect_is_found_by_looking(
    aws: Nova, run_through: Callable[..., Run], responder: User, kind: str
) -> None:
    aws.faults([{"service": "ecs", "operation": "UpdateService", "kind": kind, "times": 1}])
    run = run_through(responder, "restart-api")
    assert run.status == "succeeded", run.outcome
    assert len(aws.effects()) == 1
    assert run.steps.get(key="deploy").calls.get().outcome == "observed"


@pytest.mark.parametrize("kind", ["throttle"])
def test_a_throttled_call_is_sent_again(aws: Nova, run_through: Callable[..., Run], responder: User, kind: str) -> None:
    aws.faults([{"service": "ecs", "operation": "UpdateService", "kind": kind, "times": 1}])
    run = run_through(responder, "restart-api")
    assert run.status == "succeeded", run.outcome
    assert [one["outcome"] for one in aws.effects()][-1] == "ok"
    assert sum(one["outcome"] == "ok" for one in aws.effects()) == 1


def test_a_denied_call_ends_the_run_with_the_missing_permission(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    aws.faults([{"service": "ecs", "operation": "UpdateService", "kind": "denied", "times": 1}])
    run = run_through(responder, "restart-api")
    assert (run.status, "ecs:UpdateService" in run.outcome) == ("failed", True)
    assert "Nothing happened" in run.outcome
