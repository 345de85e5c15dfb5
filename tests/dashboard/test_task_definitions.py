"""Differences of task definitions are complete and give no secret away; a copy keeps what it does not change."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import task_definitions as shown
from novaops.cloud import task_definitions as cloud

names = st.text(string.ascii_uppercase + "_", min_size=1, max_size=12)
values = st.text(string.ascii_letters + string.digits + ":/@.", max_size=20)
variables = st.dictionaries(names, values, max_size=6)


def definition(environment: dict[str, str], **more: Any) -> dict[str, Any]:
    entries = [{"name": name, "value": value} for name, value in environment.items()]
    container = {"name": "api", "image": "nova-api:1", "environment": entries, **more}
    return {"family": "nova-api", "revision": 1, "cpu": "256", "containerDefinitions": [container]}


@given(variables, variables, st.lists(names, max_size=3))
def test_a_copy_has_the_changes_and_everything_else(
    before: dict[str, str], changed: dict[str, str], without: list[str]
) -> None:
    original = definition(before, command=["node"])
    copy = cloud.with_variables(original, "api", changed, without)
    kept = {name: value for name, value in before.items() if name not in without}
    assert shown.variables(copy["containerDefinitions"][0]) == {**kept, **changed}
    assert original == definition(before, command=["node"])
    assert {**copy, "containerDefinitions": []} == {**original, "containerDefinitions": []}
    assert copy["containerDefinitions"][0]["command"] == ["node"]


@given(variables, variables)
def test_exactly_the_variables_that_differ_are_listed(before: dict[str, str], after: dict[str, str]) -> None:
    found = shown.differences(definition(before), definition(after))
    assert {each["what"] for each in found} == {
        name for name in {*before, *after} if before.get(name) != after.get(name)
    }
    assert all(each["before"] != each["after"] for each in found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://nova:hunter2@db:5432/nova"),
        ("STRIPE_API_KEY", "hunter2"),
        ("SESSION_SECRET", "hunter2"),
        ("RPC_URL", "https://rpc.example.com/v1/hunter2"),
        ("LICENCE", "hunter2abcdefghijklmnopqrstuvwxyz0123456789"),
    ],
)
def test_no_secret_is_shown(name: str, value: str) -> None:
    found = shown.differences(definition({name: value}), definition({name: value + "x"}))
    assert [each["what"] for each in found] == [name]
    assert "hunter2" not in f"{found} {shown.shown(name, value)}"


def test_what_cannot_be_shown_is_named() -> None:
    before, after = definition({}, logConfiguration={"a": "1"}), definition({}, logConfiguration={"a": "2"})
    assert shown.differences(before, {**after, "memory": "512"}) == [
        {"what": "memory", "before": "not set", "after": "512"},
        {"what": "logConfiguration of api", "before": "as it is", "after": "different"},
    ]


@pytest.mark.parametrize(
    ("image", "mutable"),
    [
        ("nova-api", True),
        ("nova-api:latest", True),
        ("registry.example.com:5000/nova-api", True),
        ("nova-api:2026.11.1", False),
        ("nova-api@sha256:0123", False),
        ("registry.example.com:5000/nova-api:latest", True),
    ],
)
def test_it_knows_an_image_that_can_change_under_its_name(image: str, mutable: bool) -> None:
    assert shown.is_mutable(image) is mutable


def test_a_registration_leaves_out_what_ecs_adds_and_passes_the_tags_on() -> None:
    told = {
        **definition({}),
        "taskDefinitionArn": "arn",
        "status": "ACTIVE",
        "requiresAttributes": [],
        "registeredBy": "x",
    }
    request = cloud.registration(told, {"team": "nova", "aws:cloudformation:stack": "s"})
    assert request.keys() == {"family", "cpu", "containerDefinitions", "tags"}
    assert request["tags"] == [{"key": "team", "value": "nova"}]
    assert "tags" not in cloud.registration(told, {})
