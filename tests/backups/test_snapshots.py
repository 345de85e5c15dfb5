"""A snapshot before a deployment, and a restore from it that is set up as production is."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from django.contrib.auth.models import User

from backups import carry_over
from novaops.runbook.models import Plan, Run
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def described(name: str) -> dict[str, Any]:
    return dict(boto3.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def test_a_snapshot_is_taken_once_under_the_runbooks_name_and_waited_for(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    aws.faults([{"service": "rds", "operation": "CreateDBSnapshot", "kind": "drop-after", "times": 1}])
    run = run_through(responder, "create-snapshot", deployment="api@9f31c2")
    assert run.status == "succeeded", run.outcome
    (effect,) = aws.effects()
    name = effect["params"]["DBSnapshotIdentifier"]
    assert name.startswith("pre-deploy-20")
    assert name.endswith(f"-{run.pk}")
    found = boto3.client("rds").describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]
    tags = {tag["Key"]: tag["Value"] for tag in found["TagList"]}
    assert (found["Status"], tags["novaops:deployment"]) == ("available", "api@9f31c2")


def test_a_restored_instance_has_every_setting_of_production(
    aws: Nova, run_through: Callable[..., Run], responder: User
) -> None:
    run = run_through(responder, "restore-snapshot")
    assert run.status == "succeeded", run.outcome
    name = next(e["params"]["DBInstanceIdentifier"] for e in aws.effects())
    assert name.startswith("nova-restored-20")
    assert carry_over.differences(described("nova-db"), described(name)) == []


def test_a_snapshot_of_another_database_is_refused(aws: Nova, plan_of: Callable[..., Plan], responder: User) -> None:
    refusals = plan_of(responder, "restore-snapshot", snapshot="somebody-elses").refusals
    assert refusals == ["somebody-elses is not among those of nova-db."]
