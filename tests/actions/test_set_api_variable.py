"""Set an environment variable of the API server: a copy of the revision with one change, deployed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.actions.set_api_variable import VariableForm
from novaops import environment as environments
from novaops.cloud import ecs, task_definitions
from novaops.runbook.models import Plan, Run
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def deployed() -> task_definitions.Definition:
    environment = environments.default()
    running = ecs.describe_service(environment, "nova", "nova-api").primary.task_definition
    return task_definitions.describe(environment, running)


def environment_of(definition: task_definitions.Definition) -> list[dict[str, str]]:
    return list(definition.container("api")["environment"])


def test_the_plan_shows_the_value_of_before_and_the_exact_calls(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    plan = plan_of(responder, "set-api-variable", name="DB_POOL_MAX", value="10")
    assert (plan.state, plan.refusals) == (Plan.State.READY, []), plan.sentence
    assert plan.changes[0] == {"what": "DB_POOL_MAX", "before": "20", "after": "10"}
    assert [call["operation"] for call in plan.calls] == ["ecs:RegisterTaskDefinition", "ecs:UpdateService"]
    assert '{"name": "DB_POOL_MAX", "value": "10"}' in plan.calls[0]["command_line"]


def test_it_deploys_a_copy_with_only_that_changed(aws: Nova, run_through: Callable[..., Run], responder: User) -> None:
    aws.faults([{"service": "ecs", "operation": "RegisterTaskDefinition", "kind": "drop-after", "times": 1}])
    before = deployed()
    run = run_through(responder, "set-api-variable", name="DB_POOL_MAX", value="10")
    assert run.status == "succeeded", run.outcome
    assert [one["operation"] for one in aws.effects()] == ["RegisterTaskDefinition", "UpdateService"]
    after = deployed()
    others = [entry for entry in environment_of(before) if entry["name"] != "DB_POOL_MAX"]
    assert environment_of(after) == [{"name": "DB_POOL_MAX", "value": "10"}, *others]
    assert after.tags == {**before.tags, "novaops:run": str(run.pk)}
    assert unchanged(after) == unchanged(before)
    assert run.inverse.params == {"name": "DB_POOL_MAX", "value": "20"}


def unchanged(definition: task_definitions.Definition) -> dict[str, Any]:
    """What a copy must keep: all that registering takes but the one variable."""
    fields = task_definitions.registration(definition.fields, {})
    container = {**fields["containerDefinitions"][0], "environment": []}
    return {**fields, "containerDefinitions": [container]}


def test_a_variable_that_was_not_there_is_removed_again(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    plan = plan_of(responder, "set-api-variable", name="LOG_LEVEL", value="debug")
    assert plan.changes[0]["before"] == "not set"
    assert (
        "LOG_LEVEL is not set already." in plan_of(responder, "set-api-variable", name="LOG_LEVEL", value="").refusals
    )


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("API_TOKEN", "x", "value"),
        ("DATABASE_URL", "postgresql://nova:secret@db/nova", "value"),
        ("NODE_OPTIONS", "--require x", "name"),
        ("LD_PRELOAD", "/tmp/x.so", "name"),
        ("db_pool_max", "10", "name"),
        ("DB_POOL_MAX", "x" * 513, "value"),
    ],
)
def test_it_refuses_secrets_and_what_is_no_setting(name: str, value: str, field: str) -> None:
    form = VariableForm({"name": name, "value": value})
    assert not form.is_valid()
    assert field in form.errors


def test_a_secret_of_the_container_is_refused_and_never_kept(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    with_secret = task_definitions.with_variables(deployed().fields, "api", {"PGHOST": "postgresql://nova:s3cr3t@db/x"})
    with_secret["containerDefinitions"][0]["secrets"] = [{"name": "MAILER", "valueFrom": "arn:aws:ssm:::parameter/m"}]
    send(task_definitions.REGISTER, task_definitions.registration(with_secret, {}))
    send(ecs.UPDATE_SERVICE, {"cluster": "nova", "service": "nova-api", "taskDefinition": "nova-api"})
    for name in ("PGHOST", "MAILER"):
        plan = plan_of(responder, "set-api-variable", name=name, value="other")
        assert f"{name} is a secret of the container" in " ".join(plan.refusals)
        assert "s3cr3t" not in f"{plan.facts} {plan.steps} {plan.changes} {plan.prechecks}"


def send(operation: Any, params: dict[str, Any]) -> None:
    operation(environments.default(), params, fence=lambda: True, run_id=0)
