"""A snapshot before a deployment."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from novaops.runbook.models import Run
from tests.backups import world
from tests.servers import Nova

pytestmark = pytest.mark.django_db


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
    found = world.rds().describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]
    tags = {tag["Key"]: tag["Value"] for tag in found["TagList"]}
    assert (found["Status"], tags["novaops:deployment"]) == ("available", "api@9f31c2")
