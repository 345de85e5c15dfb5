"""Reboot the database: once, waited for by RDS's own words, proven by SQL."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import rds
from novaops.runbook.models import Plan, Run
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def test_it_restarts_the_instance_once_and_proves_it_by_sql(
    aws: Nova, run_through: Callable[..., Run], responder: User, nova_database: psycopg.Connection[Any]
) -> None:
    run = run_through(responder, "reboot-database")
    assert run.status == "succeeded", run.outcome
    assert [(one["operation"], one["params"]) for one in aws.effects()] == [
        ("RebootDBInstance", {"DBInstanceIdentifier": "nova-db"})
    ]
    assert run.steps.get(key="available").sentence == "RDS says available: DB instance restarted"
    assert "fresh connection works" in run.outcome
    with pytest.raises(psycopg.OperationalError):
        nova_database.execute("SELECT 1")


def test_the_plan_shows_the_runbooks_command_and_that_the_zone_stays(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    plan = plan_of(responder, "reboot-database")
    assert [call["command_line"] for call in plan.calls] == [
        "aws rds reboot-db-instance --db-instance-identifier nova-db"
    ]
    assert plan.calls[0]["repeat"] == "once"
    assert {"what": "Availability Zone", "before": "eu-west-1a", "after": "eu-west-1a"} in plan.changes


def test_it_is_refused_while_the_instance_is_not_available(
    aws: Nova, plan_of: Callable[..., Plan], responder: User
) -> None:
    params = {"DBInstanceIdentifier": "nova-db"}
    rds.REBOOT(environments.default(), params, fence=lambda: True, run_id=0)
    assert "RDS says rebooting: wait" in " ".join(plan_of(responder, "reboot-database").refusals)


def test_a_reboot_whose_answer_is_lost_is_seen_and_never_sent_again(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    aws.faults([{"service": "rds", "operation": "RebootDBInstance", "kind": "drop-after", "times": 1}])
    run = run_through(responder, "reboot-database")
    assert run.status == "succeeded", run.outcome
    assert len(aws.effects()) == 1
    assert run.steps.get(key="reboot").calls.get().outcome == "observed"


def test_without_a_connection_of_its_own_it_says_that_sql_was_not_tried(
    aws: Nova, run_through: Callable[..., Run], responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOVA_DATABASE_URL")
    run = run_through(responder, "reboot-database")
    assert run.outcome == "RDS says available. SQL was not tried: NOVA_DATABASE_URL is not set."
