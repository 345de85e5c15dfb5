"""Connect the API server through RDS Proxy: its host variable, in a new revision, only where the proxy is well."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import ecs, rds, task_definitions
from novaops.runbook.models import Plan, Run
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def host() -> str:
    environment = environments.default()
    running = ecs.describe_service(environment, "nova", "nova-api").primary.task_definition
    entries = task_definitions.describe(environment, running).container("api")["environment"]
    return next(entry["value"] for entry in entries if entry["name"] == "DB_HOST")


def test_new_tasks_connect_to_the_proxy_and_the_way_back_is_kept(
    aws: Nova, run_through: Callable[..., Run], commander: User
) -> None:
    before, proxy = host(), rds.describe_proxy(environments.default(), "nova-db-proxy")
    run = run_through(commander, "use-rds-proxy")
    assert (run.status, run.target) == ("succeeded", "nova-api"), run.outcome
    assert [one["operation"] for one in aws.effects()] == ["RegisterTaskDefinition", "UpdateService"]
    assert host() == proxy.endpoint
    assert run.inverse.action == "set-api-variable"
    assert run.inverse.params == {"name": "DB_HOST", "value": before}


def test_the_plan_shows_how_the_proxy_is(aws: Nova, plan_of: Callable[..., Plan], commander: User) -> None:
    plan = plan_of(commander, "use-rds-proxy")
    sentences = [one["sentence"] for one in plan.prechecks]
    assert "The proxy nova-db-proxy is available." in sentences
    assert "It reaches the database: nova-db is AVAILABLE." in sentences
    assert plan.changes[0]["before"] == host()


def test_it_is_refused_while_the_proxy_does_not_reach_the_database(
    aws: Nova, plan_of: Callable[..., Plan], commander: User
) -> None:
    # In real time a reboot takes a minute, so that the plan is made while it lasts.
    aws.reset(factor=1)
    rds.REBOOT(environments.default(), {"DBInstanceIdentifier": "nova-db"}, fence=lambda: True, run_id=0)
    refusals = plan_of(commander, "use-rds-proxy").refusals
    assert refusals == ["It does not reach the database: nova-db is UNAVAILABLE."]
