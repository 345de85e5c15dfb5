"""Reboot a member of the cluster: that one only, once, and in the role that it had."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import rds
from novaops.runbook.models import Plan, Run
from novaops.runbook.registry import actions
from tests.servers import Nova

pytestmark = pytest.mark.django_db
KEY = "reboot-cluster-member"


def rebooted(aws: Nova) -> list[dict[str, Any]]:
    return [one["params"] for one in aws.effects() if one["operation"] == "RebootDBInstance"]


def test_the_writer_reboots_and_stays_the_writer(
    aws: Nova, cluster: str, run_through: Callable[..., Run], responder: User, nova_database: psycopg.Connection[Any]
) -> None:
    run = run_through(responder, KEY)
    assert run.status == "succeeded", run.outcome
    assert rebooted(aws) == [{"DBInstanceIdentifier": "nova-instance-1"}]
    assert run.steps.get(key="available").sentence == "RDS says available: DB instance restarted"
    assert rds.describe_cluster(environments.default(), cluster).writer == "nova-instance-1"
    with pytest.raises(psycopg.OperationalError):
        nova_database.execute("SELECT 1")


def test_a_reader_reboots_alone_and_a_lost_answer_is_not_sent_again(
    aws: Nova, cluster: str, run_through: Callable[..., Run], responder: User, nova_database: psycopg.Connection[Any]
) -> None:
    aws.faults([{"service": "rds", "operation": "RebootDBInstance", "kind": "drop-after", "times": 1}])
    run = run_through(responder, KEY, member="nova-instance-3")
    assert run.status == "succeeded", run.outcome
    assert rebooted(aws) == [{"DBInstanceIdentifier": "nova-instance-3"}]
    assert run.steps.get(key="reboot").calls.get().outcome == "observed"
    assert nova_database.execute("SELECT 1").fetchone() == (1,)


def test_a_stranger_and_a_busy_member_are_refused(
    aws: Nova, cluster: str, plan_of: Callable[..., Plan], responder: User
) -> None:
    assert "nova-db is no member of it" in " ".join(plan_of(responder, KEY, member="nova-db").refusals)
    rds.REBOOT(environments.default(), {"DBInstanceIdentifier": "nova-instance-2"}, fence=lambda: True, run_id=0)
    refusals = " ".join(plan_of(responder, KEY, member="nova-instance-2").refusals)
    assert "nova-instance-2 is rebooting: wait" in refusals
    assert not actions["reboot-database"]().applies(environments.default())
