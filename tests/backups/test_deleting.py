"""A restored instance is deleted with its protection, never while Nova uses it, and only where a restore made it."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from django.contrib.auth.models import User

from backups.restore_forms import changes
from novaops import environment as environments
from novaops.runbook import approvals, planning, requests
from novaops.runbook.models import Approval, Plan, Run
from novaops.runbook.registry import actions
from tests.actions.conftest import carry_on
from tests.backups import world
from tests.servers import Nova

pytestmark = pytest.mark.django_db


def plan_on(target: str, by: User, **params: Any) -> Plan:
    plan = planning.draft(actions["delete-restored"](), environments.default(), target, params, by=by, incident=None)
    planning.resolve(plan)
    return plan


@pytest.mark.long(6)
def test_it_takes_the_protection_away_keeps_a_last_snapshot_and_deletes(
    aws: Nova, run_through: Callable[..., Run], commander: User, commander2: User
) -> None:
    assert run_through(commander, "restore-snapshot").status == "succeeded"
    (name,) = world.made_by(aws)
    host = world.described(name)["Endpoint"]["Address"]
    secrets = boto3.client("secretsmanager")
    told = f'{{"DATABASE_URL": "postgresql://nova:x@{host}:5432/nova"}}'
    secrets.put_secret_value(SecretId="nova/database", SecretString=told)
    assert plan_on(name, commander).refusals == ["DATABASE_URL points at it: cut back first."]
    secrets.put_secret_value(SecretId="nova/database", SecretString=told.replace(host, "elsewhere"))
    plan = plan_on(name, commander, last_snapshot=True)
    assert plan.refusals == []
    aws.faults([{"service": "rds", "operation": "DeleteDBInstance", "kind": "drop-after", "times": 1}])
    run = requests.request(plan, by=commander, reason="not needed", idempotency_key="delete")
    approvals.approve(Approval.objects.get(run=run), by=commander2)
    run.refresh_from_db()
    assert carry_on(run).status == "succeeded", run.outcome
    assert world.instances() == ["nova-db"]
    kept = world.rds().describe_db_snapshots(DBSnapshotIdentifier=f"{name}-last")["DBSnapshots"][0]
    assert kept["DBInstanceIdentifier"] == name
    sent = [effect["operation"] for effect in aws.effects() if f"run-{run.pk}" in effect["user_agent"]]
    assert sent == ["ModifyDBInstance", "DeleteDBInstance"]


def test_the_settings_of_the_form_become_what_aws_wants() -> None:
    given = {
        "multi_az": "no",
        "security_groups": "sg-2, sg-1",
        "log_exports": "none",
        "processor_features": "threadsPerCore=1, coreCount=4",
        "max_storage_gb": 200,
        "parameter_group": "",
    }
    assert changes(given) == {
        "multi_az": False,
        "security_groups": ["sg-1", "sg-2"],
        "log_exports": [],
        "processor_features": [{"Name": "coreCount", "Value": "4"}, {"Name": "threadsPerCore", "Value": "1"}],
        "max_storage_gb": 200,
    }
