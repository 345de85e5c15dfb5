"""Fail over the database: the call that fits the topology, and RDS's own word for whether it happened."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User

from novaops import environment as environments
from novaops.cloud import aws as calls
from novaops.cloud import rds
from novaops.runbook.models import Plan, Run
from novaops.sandbox.child import until
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def test_an_instance_moves_to_its_standbys_zone(
    aws: Nova, run_through: Callable[..., Run], commander: User, nova_database: psycopg.Connection[Any]
) -> None:
    run = run_through(commander, "fail-over-database")
    assert run.status == "succeeded", run.outcome
    assert [(one["operation"], one["params"]) for one in aws.effects()] == [
        ("RebootDBInstance", {"DBInstanceIdentifier": "nova-db", "ForceFailover": True})
    ]
    assert run.steps.get(key="promoted").sentence == "The primary moved from eu-west-1a to eu-west-1b."
    with pytest.raises(psycopg.OperationalError):
        nova_database.execute("SELECT 1")


def test_a_failover_that_rds_accepts_and_abandons_has_failed_with_its_sentence(
    aws: Nova, run_through: Callable[..., Run], commander: User
) -> None:
    outcomes = []
    for _ in range(6):
        run = run_through(commander, "fail-over-database")
        Run.objects.update(finished_at=None)  # The cool-down of ten minutes is not the point here.
        outcomes.append((run.status, run.outcome))
        if run.status == "failed":
            break
    assert outcomes[0][0] == "succeeded", outcomes
    assert "Abandoning user requested failover since a failover recently occurred" in outcomes[-1][1]


def test_a_lost_answer_is_seen_and_nothing_is_sent_again(
    aws: Nova, run_through: Callable[..., Run], commander: User
) -> None:
    aws.faults([{"service": "rds", "operation": "RebootDBInstance", "kind": "drop-after", "times": 1}])
    run = run_through(commander, "fail-over-database")
    assert run.status == "succeeded", run.outcome
    assert len(aws.effects()) == 1


def test_a_recent_failover_is_a_warning(aws: Nova, plan_of: Callable[..., Plan], commander: User) -> None:
    params = {"DBInstanceIdentifier": "nova-db", "ForceFailover": True}
    rds.REBOOT(environments.default(), params, fence=lambda: True, run_id=0)
    assert until(lambda: rds.describe_instance(environments.default(), "nova-db").status == "available", 20)
    warnings = [one for one in plan_of(commander, "fail-over-database").prechecks if one["state"] == "warning"]
    assert ["abandon" in one["sentence"] for one in warnings] == [True]


def test_a_single_az_instance_is_refused(aws: Nova, plan_of: Callable[..., Plan], commander: User) -> None:
    modify = calls.Operation("rds:ModifyDBInstance")
    params = {"DBInstanceIdentifier": "nova-db", "MultiAZ": False, "ApplyImmediately": True}
    modify(environments.default(), params, fence=lambda: True, run_id=0)
    assert until(lambda: not rds.describe_instance(environments.default(), "nova-db").multi_az, 20)
    assert "no standby to fail over to" in " ".join(plan_of(commander, "fail-over-database").refusals)


def test_a_cluster_makes_the_chosen_reader_its_writer(
    aws: Nova, cluster: str, run_through: Callable[..., Run], commander: User, nova_database: psycopg.Connection[Any]
) -> None:
    run = run_through(commander, "fail-over-database", reader="nova-instance-3")
    assert run.status == "succeeded", run.outcome
    assert [(one["operation"], one["params"]) for one in aws.effects()[1:]] == [
        (
            "FailoverDBCluster",
            {"DBClusterIdentifier": "nova", "TargetDBInstanceIdentifier": "nova-instance-3"},
        )
    ]
    assert run.steps.get(key="promoted").sentence == "The writer moved from nova-instance-1 to nova-instance-3."
    assert run.outcome == "A fresh connection works and takes writes."


def test_a_stranger_is_no_reader(aws: Nova, cluster: str, plan_of: Callable[..., Plan], commander: User) -> None:
    refusals = " ".join(plan_of(commander, "fail-over-database", reader="nova-db").refusals)
    assert "nova-db is not an available reader" in refusals


def test_a_member_of_a_cluster_declared_as_instance_is_refused(
    aws: Nova, cluster: str, declare: Callable[..., None], plan_of: Callable[..., Plan], commander: User
) -> None:
    declare('kind = "cluster"\ncluster_id = "nova"', 'kind = "instance"\ninstance_id = "nova-instance-1"')
    assert "belongs to the cluster nova" in " ".join(plan_of(commander, "fail-over-database").refusals)


def test_an_instance_declared_as_cluster_ends_with_the_word_of_rds(
    aws: Nova, declare: Callable[..., None], plan_of: Callable[..., Plan], commander: User
) -> None:
    declare('kind = "instance"\ninstance_id = "nova-db"', 'kind = "cluster"\ncluster_id = "nova-db"')
    plan = plan_of(commander, "fail-over-database")
    assert (plan.state, plan.calls) == ("failed", [])
    assert "DBClusterNotFoundFault" in plan.sentence
