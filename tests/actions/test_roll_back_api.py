"""Roll the API server back: the revision that ran well before, whatever stands one number lower."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import ecs, task_definitions
from novaops.cloud.aws import Operation
from novaops.runbook.models import Plan, Run
from tests.actions.conftest import sent_by
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def running() -> str:
    return ecs.describe_service(environments.default(), "nova", "nova-api").task_definition.rpartition("/")[2]


def registered(image: str) -> str:
    """A revision that nobody deployed."""
    environment = environments.default()
    fields = task_definitions.describe(environment, "nova-api").fields
    container = {**fields["containerDefinitions"][0], "image": image}
    request = task_definitions.registration({**fields, "containerDefinitions": [container]}, {})
    answer = task_definitions.REGISTER(environment, request, fence=lambda: True, run_id=0)
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def sentences(plan: Plan, state: str) -> str:
    return " ".join(check["sentence"] for check in plan.prechecks if check["state"] == state)


def test_it_ends_a_bad_release_with_one_deployment_of_what_ran_before(
    aws: Nova, run_through: Callable[..., Run], plan_of: Callable[..., Plan], responder: User
) -> None:
    registered("nova-api:never-deployed")
    aws.scenario("bad-deploy")
    aws.faults([{"service": "ecs", "operation": "UpdateService", "kind": "drop-after", "times": 1}])
    plan = plan_of(responder, "roll-back-api")
    assert plan.refusals == []
    assert plan.changes == [
        {"what": "Task definition", "before": "nova-api:3", "after": "nova-api:1"},
        {"what": "Image of api", "before": "nova-api:2026.11.2", "after": "nova-api:2026.11.1"},
    ]
    assert "still in progress: this one takes its place" in sentences(plan, "warning")
    run = run_through(responder, "roll-back-api")
    assert (run.status, running()) == ("succeeded", "nova-api:1"), run.outcome
    assert sent_by(run, aws) == ["UpdateService"]
    assert run.inverse.params == {"revision": 3}


def test_a_revision_that_cannot_start_is_judged_by_its_own_deployment(
    aws: Nova, run_through: Callable[..., Run], plan_of: Callable[..., Plan], responder: User
) -> None:
    registered("nova-api:broken")
    run = run_through(responder, "roll-back-api", revision=2)
    assert run.status == "failed"
    assert "took the place of ours" in run.outcome
    assert "circuit breaker" in run.outcome
    assert sent_by(run, aws) == ["UpdateService"]
    assert running() == "nova-api:1"


def test_it_warns_of_an_image_that_may_not_be_the_one_of_then(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    registered("nova-api:latest")
    plan = plan_of(responder, "roll-back-api", revision=2)
    assert plan.refusals == []
    assert "nova-api:latest is named by no fixed tag" in sentences(plan, "warning")


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "no other revision that was deployed successfully"),
        ({"revision": 1}, "nova-api:1 runs already."),
        ({"revision": 99}, "There is no revision 99 of nova-api."),
    ],
)
def test_it_is_refused_where_there_is_nothing_to_go_back_to(
    aws: Nova, plan_of: Callable[..., Plan], responder: User, params: dict[str, Any], sentence: str
) -> None:
    assert sentence in " ".join(plan_of(responder, "roll-back-api", **params).refusals)


def test_a_deregistered_revision_is_refused(aws: Nova, plan_of: Callable[..., Plan], responder: User) -> None:
    arn = registered("nova-api:2026.10.9")
    deregister(arn)
    assert "nova-api:2 is INACTIVE" in " ".join(plan_of(responder, "roll-back-api", revision=2).refusals)


def deregister(arn: str) -> None:
    call = Operation("ecs:DeregisterTaskDefinition")
    call(environments.default(), {"taskDefinition": arn}, fence=lambda: True, run_id=0)
