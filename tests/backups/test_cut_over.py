"""Cutting over changes the host of DATABASE_URL and nothing else, tells nobody its value, and can be put back."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.contrib.auth.models import User
from django.db import connection
from pytest_django.fixtures import Settings

from novaops import environment as environments
from novaops.cloud import secrets
from novaops.cloud.errors import Refused
from novaops.runbook import undo
from novaops.runbook.models import Plan, Run, Undo
from novaops.sandbox.aws.secrets import PASSWORD, URL
from tests.actions.conftest import carry_on
from tests.backups import world
from tests.servers import ROOT, Nova

pytestmark = pytest.mark.django_db
NEW = "nova-restored-2026-11-24-17"
OLD_HOST = "nova-db.c0nova1sandb.eu-west-1.rds.amazonaws.com"
NEW_HOST = OLD_HOST.replace("nova-db", NEW)
PARAMETER = "/nova/database-url"


@pytest.fixture
def beside(aws: Nova) -> str:
    """An instance beside production, available."""
    world.create(NEW)
    return NEW


@pytest.fixture
def standing_in(settings: Settings, tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Lets DATABASE_URL stand somewhere else: `standing_in("parameter", "/nova/database-url")`."""

    def declare(kind: str, name: str, services: str = '["api", "events"]') -> None:
        table = (ROOT / "nova.toml").read_text()
        before, _, rest = table.partition("[environments.sandbox.database.url]")
        _, _, after = rest.partition("\n\n")
        place = f'[environments.sandbox.database.url]\nkind = "{kind}"\nname = "{name}"\nservices = {services}\n\n'
        settings.NOVA_TOML = tmp_path / "nova.toml"
        settings.NOVA_TOML.write_text(before + place + after)
        environments.environments.cache_clear()

    yield declare
    environments.environments.cache_clear()


def secret() -> dict[str, Any]:
    found = boto3.client("secretsmanager").get_secret_value(SecretId="nova/database", VersionStage="AWSCURRENT")
    return {**json.loads(found["SecretString"]), "version": found["VersionId"]}


def rows_with(text: str) -> list[str]:
    """The tables that have a row with the text in it."""
    with connection.cursor() as asked:
        asked.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in asked.fetchall()]
        found = []
        for name in tables:
            asked.execute(f'SELECT count(*) FROM "{name}" AS one WHERE one::text LIKE %s', [f"%{text}%"])
            if asked.fetchone()[0]:
                found.append(name)
    return found


def put_back(entry: Undo, plan_of: Callable[..., Plan], by: User, second: User) -> Run:
    from novaops.runbook import approvals, planning, requests
    from novaops.runbook.models import Approval
    from novaops.runbook.registry import actions

    environment = environments.default()
    plan = planning.draft(
        actions[entry.action](), environment, entry.target, entry.params, by=by, incident=None, undoes=entry
    )
    planning.resolve(plan)
    assert plan.refusals == []
    run = requests.request(plan, by=by, reason="back", idempotency_key=f"plan:{plan.pk}")
    approvals.approve(Approval.objects.get(run=run), by=second)
    run.refresh_from_db()
    return carry_on(run)


@pytest.mark.long(8)
def test_it_points_nova_at_the_new_host_and_back_and_the_value_is_nowhere(
    aws: Nova,
    beside: str,
    run_through: Callable[..., Run],
    plan_of: Callable[..., Plan],
    commander: User,
    commander2: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    before = secret()
    aws.faults([{"service": "secretsmanager", "operation": "PutSecretValue", "kind": "drop-after", "times": 1}])
    run = run_through(commander, "cut-over", instance=beside)
    assert run.status == "succeeded", run.outcome
    after = secret()
    assert after["DATABASE_URL"] == URL.replace(OLD_HOST, NEW_HOST)
    assert after["username"] == before["username"]
    operations = [effect["operation"] for effect in aws.effects()]
    assert operations == ["PutSecretValue", "UpdateService", "UpdateService"]
    back = put_back(undo.of_run(run), plan_of, commander, commander2)
    assert back.status == "succeeded", back.outcome
    assert secret() == before
    assert undo.of_run(run) is None
    assert rows_with(PASSWORD) == []
    assert PASSWORD not in caplog.text
    assert rows_with(NEW_HOST)


@pytest.mark.long(8)
def test_a_cut_over_that_ends_halfway_leaves_a_way_back(
    aws: Nova,
    beside: str,
    run_through: Callable[..., Run],
    plan_of: Callable[..., Plan],
    commander: User,
    commander2: User,
) -> None:
    before = secret()
    aws.faults([{"service": "ecs", "operation": "UpdateService", "kind": "denied", "times": 1}])
    run = run_through(commander, "cut-over", instance=beside)
    assert run.status == "failed"
    assert secret()["DATABASE_URL"] == URL.replace(OLD_HOST, NEW_HOST)
    entry = undo.of_run(run)
    assert entry.sentence == f"Point Nova back at {OLD_HOST}"
    assert put_back(entry, plan_of, commander, commander2).status == "succeeded"
    assert secret() == before


def test_a_cut_over_that_changed_nothing_leaves_nothing_to_put_back(
    aws: Nova, beside: str, run_through: Callable[..., Run], commander: User
) -> None:
    aws.faults([{"service": "secretsmanager", "operation": "PutSecretValue", "kind": "denied", "times": 1}])
    run = run_through(commander, "cut-over", instance=beside)
    assert (run.status, undo.of_run(run)) == ("failed", None)


@pytest.mark.long(8)
def test_a_parameter_gets_a_version_with_the_new_host_and_one_as_it_was(
    aws: Nova,
    beside: str,
    standing_in: Callable[..., None],
    run_through: Callable[..., Run],
    plan_of: Callable[..., Plan],
    commander: User,
    commander2: User,
) -> None:
    standing_in("parameter", PARAMETER, '["events"]')
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name=PARAMETER, Value=URL, Type="SecureString")
    run = run_through(commander, "cut-over", instance=beside)
    assert run.status == "succeeded", run.outcome

    def value() -> str:
        return str(ssm.get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]["Value"])

    assert value() == URL.replace(OLD_HOST, NEW_HOST)
    assert put_back(undo.of_run(run), plan_of, commander, commander2).status == "succeeded"
    assert value() == URL
    assert rows_with(PASSWORD) == []


@pytest.mark.long(8)
def test_a_variable_is_changed_in_a_new_revision_and_back_in_the_old_one(
    aws: Nova,
    beside: str,
    standing_in: Callable[..., None],
    run_through: Callable[..., Run],
    plan_of: Callable[..., Plan],
    commander: User,
    commander2: User,
) -> None:
    standing_in("variable", "DB_HOST", '["api"]')
    run = run_through(commander, "cut-over", instance=beside)
    assert run.status == "succeeded", run.outcome

    def host() -> str:
        ecs = boto3.client("ecs")
        service = ecs.describe_services(cluster="nova", services=["nova-api"])["services"][0]
        found = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        entries = found["containerDefinitions"][0]["environment"]
        return next(entry["value"] for entry in entries if entry["name"] == "DB_HOST")

    assert host() == NEW_HOST
    assert put_back(undo.of_run(run), plan_of, commander, commander2).status == "succeeded"
    assert host() == OLD_HOST


def test_it_is_refused_without_such_an_instance(aws: Nova, plan_of: Callable[..., Plan], commander: User) -> None:
    assert (
        "RDS does not know nova-restored-2020-01-01-1."
        in plan_of(commander, "cut-over", instance="nova-restored-2020-01-01-1").refusals
    )


@pytest.mark.parametrize(
    ("value", "after"),
    [
        (
            "postgresql://nova:p%40ss@old:5432/nova?sslmode=require",
            "postgresql://nova:p%40ss@new:6432/nova?sslmode=require",
        ),
        ("postgres://nova@old/nova", "postgres://nova@new:6432/nova"),
        ("old.example.com", "new"),
        ("old:5432", "new:6432"),
    ],
)
def test_only_host_and_port_of_a_value_change(value: str, after: str) -> None:
    assert secrets.pointed(value, "new", 6432) == after


@pytest.mark.parametrize("value", ["", "host=old password=x", "postgresql:///nova", "{}"])
def test_what_has_no_host_is_refused_without_being_told(value: str) -> None:
    with pytest.raises(Refused) as refusal:
        secrets.pointed(value, "new", 6432)
    assert not value or value not in str(refusal.value)
