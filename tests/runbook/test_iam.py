"""The IAM policy allows every call that the code makes, and names resources where AWS lets it."""

import ast
import json
import re
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

OPERATION = re.compile(r"[a-z][a-z0-9-]*:[A-Z][A-Za-z]+")
PACKAGES = ("novaops/cloud", "dashboard", "incidents", "backups")


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Every call of `aws.<name>`."""
    for node in ast.walk(tree):
        function = node.func if isinstance(node, ast.Call) else None
        module = function.value if isinstance(function, ast.Attribute) and function.attr == name else None
        if isinstance(node, ast.Call) and isinstance(module, ast.Name) and module.id == "aws":
            yield node


def parts_in_use(path: Path, tree: ast.Module, used: set[tuple[str, str]]) -> Iterator[ast.stmt]:
    """The functions and constants of a module that other modules use, and those that these use."""
    parts = {name: part for part in tree.body for name in named(part)}
    waiting, seen = [name for name in parts if (path.stem, name) in used], set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            inner = {node.id for node in ast.walk(parts[name]) if isinstance(node, ast.Name)}
            waiting += [other for other in inner if other in parts]
            yield parts[name]


def named(part: ast.stmt) -> list[str]:
    if isinstance(part, ast.FunctionDef | ast.ClassDef):
        return [part.name]
    return [target.id for target in getattr(part, "targets", []) if isinstance(target, ast.Name)]


def texts(tree: ast.AST) -> set[str]:
    """Every text in it that reads like an operation."""
    found = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {iam.permission(text) for text in found if isinstance(text, str) and OPERATION.fullmatch(text)}


class Code:
    """The product's modules, and the operations that those in cloud name."""

    def __init__(self) -> None:
        base = Path(settings.BASE_DIR)
        paths = [path for package in PACKAGES for path in sorted((base / package).rglob("*.py"))]
        self.trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}
        self.cloud = {path: tree for path, tree in self.trees.items() if path.parent.name == "cloud"}
        nodes = (node for tree in self.trees.values() for node in ast.walk(tree))
        used = {
            (node.value.id, node.attr)
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        parts = [part for path, tree in self.cloud.items() for part in parts_in_use(path, tree, used)]
        self.sent = {text for part in parts for call in calls(part, "Operation") for text in texts(call)}
        self.read = {text for part in parts for text in texts(part)} - self.sent


@pytest.fixture(scope="module")
def code() -> Code:
    return Code()


def declared() -> set[str]:
    return {permission for action in actions.values() for permission in action.iam_permissions}


def test_every_call_is_made_in_cloud_and_names_its_operation_there(code: Code) -> None:
    for path, tree in code.trees.items():
        assert path in code.cloud or not [*calls(tree, "read"), *calls(tree, "Operation")]
    names = [call.args[1] for tree in code.cloud.values() for call in calls(tree, "read")]
    given = [name for name in names if not isinstance(name, ast.Constant)]
    assert all(isinstance(name, ast.Name) and name.id == "operation" for name in given)
    sending = [call.args[0] for tree in code.cloud.values() for call in calls(tree, "Operation")]
    assert all(isinstance(name, ast.Constant) for name in sending)
    assert {"ecs:DescribeServices", "rds:DescribeDBInstances", "elasticloadbalancing:DescribeTargetHealth"} <= code.read
    assert "ecs:UpdateService" in code.sent


def test_only_the_clients_module_imports_boto3(code: Code) -> None:
    found = [path for path in code.trees if "import boto3" in path.read_text(encoding="utf-8")]
    assert [path.name for path in found] == ["aws.py"]


def test_every_reading_call_is_allowed_to_the_reader(code: Code) -> None:
    allowed = {*iam.COLLECTED, *iam.HEARD, *(one for one in declared() if iam.READING.search(one))}
    assert allowed >= code.read, code.read - allowed


def test_every_changing_call_is_allowed_to_the_actor(code: Code) -> None:
    allowed = {one for one in declared() if not iam.READING.search(one)}
    assert allowed >= code.sent, code.sent - allowed


def test_nothing_that_changes_is_allowed_to_the_reader(code: Code) -> None:
    environment = environments.default()
    assert all(iam.READING.search(one) or one in iam.HEARD for one in iam.reader_permissions(environment))
    assert not any(iam.READING.search(one) for one in iam.actor_permissions(environment))
    assert not code.sent & iam.reader_permissions(environment)


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


def test_commands_reach_the_accounts_instances_by_one_document(on_ec2: Environment) -> None:
    sends = iam.policy(on_ec2, {"ssm:SendCommand"})["Statement"][0]
    assert sends["Resource"] == [
        "arn:aws:ec2:eu-west-1:123456789012:instance/*",
        "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript",
    ]


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
