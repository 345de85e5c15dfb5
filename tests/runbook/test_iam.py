"""The IAM policy allows every call that the code makes, and names resources where AWS lets it."""

import ast
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from novaops import environment as environments
from novaops.environment import Environment
from novaops.runbook import iam
from novaops.runbook.registry import actions

MAKERS = {"read": "reads", "Operation": "sends"}
CODE = [
    path
    for package in ("novaops/cloud", "dashboard", "incidents", "backups")
    for path in sorted((Path(settings.BASE_DIR) / package).rglob("*.py"))
]


def calls(path: Path) -> Iterator[tuple[str, ast.expr]]:
    """Every `aws.read(environment, "...")` and `aws.Operation("...")` of a module, as ("reads" or "sends", operation)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of_aws = isinstance(node.func.value, ast.Name) and node.func.value.id == "aws"
        if of_aws and node.func.attr in MAKERS:
            yield MAKERS[node.func.attr], node.args[1 if node.func.attr == "read" else 0]


MADE = [(kind, operation) for path in CODE for kind, operation in calls(path)]


def made(kind: str) -> set[str]:
    return {iam.permission(operation.value) for one, operation in MADE if one == kind}  # type: ignore[attr-defined]


def declared() -> set[str]:
    return {permission for action in actions.values() for permission in action.iam_permissions}


def test_every_call_names_its_operation_where_it_stands() -> None:
    assert all(isinstance(operation, ast.Constant) for _, operation in MADE)
    assert {"ecs:DescribeServices", "rds:DescribeDBInstances"} <= made("reads")
    assert "ecs:UpdateService" in made("sends")


def test_only_the_clients_module_imports_boto3() -> None:
    found = [path for path in CODE if "import boto3" in path.read_text(encoding="utf-8")]
    assert [path.name for path in found] == ["aws.py"]


def test_every_reading_call_is_allowed_to_the_reader() -> None:
    allowed = {*iam.COLLECTED, *(one for one in declared() if iam.READING.search(one))}
    assert made("reads") <= allowed, made("reads") - allowed


def test_every_changing_call_is_allowed_to_the_actor() -> None:
    used = made("sends")
    allowed = {one for one in declared() if not iam.READING.search(one)}
    assert used <= allowed, used - allowed


def test_nothing_that_changes_is_allowed_to_the_reader() -> None:
    environment = environments.default()
    assert all(iam.READING.search(one) for one in iam.reader_permissions(environment))
    assert not any(iam.READING.search(one) for one in iam.actor_permissions(environment))
    assert not made("sends") & iam.reader_permissions(environment)


@pytest.fixture
def on_ec2() -> Environment:
    """The default environment with the API server on EC2."""
    fleet = {"autoscaling_group": "nova-api", "log_group": "/nova/api"}
    table = environments.default().model_dump(mode="json")
    table["api"] = {**table["api"], "kind": "ec2", "ecs": None, "ec2": fleet}
    return Environment.model_validate(table)


def test_an_action_counts_where_it_applies(on_ec2: Environment) -> None:
    assert not actions["restart-api"]().applies(on_ec2)
    for environment in (environments.default(), on_ec2):
        allowed = iam.reader_permissions(environment) | iam.actor_permissions(environment)
        for action in actions.values():
            if action().applies(environment):
                assert set(action.iam_permissions) <= allowed


def printed(*flags: str) -> dict[str, Any]:
    shown = StringIO()
    call_command("iam_policy", *flags, stdout=shown)
    return dict(json.loads(shown.getvalue()))


def test_the_command_prints_resources_from_nova_toml() -> None:
    statements = printed("--actor")["Statement"]
    services = next(one for one in statements if "ecs:UpdateService" in one["Action"])
    assert services["Resource"] == [
        "arn:aws:ecs:eu-west-1:123456789012:service/nova/nova-api",
        "arn:aws:ecs:eu-west-1:123456789012:service/nova/nova-event-processor",
    ]
    text = json.dumps(printed("--reader"))
    assert '"arn:aws:rds:eu-west-1:123456789012:db:nova-db"' in text
    assert '"arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:nova-cache"' in text
    assert "UpdateService" not in text


def test_both_roles_together_are_the_whole() -> None:
    def allowed(*flags: str) -> set[str]:
        return {one for statement in printed(*flags)["Statement"] for one in statement["Action"]}

    assert allowed() == allowed("--reader") | allowed("--actor")
    assert not allowed("--reader") & allowed("--actor")
    with pytest.raises(CommandError, match="no environment 'moon'"):
        call_command("iam_policy", "--environment", "moon")
