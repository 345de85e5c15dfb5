"""The simulated CloudWatch Logs finds lines by pattern and time, page by page."""

import json
from typing import Any

import pytest

from novaops.sandbox.aws.log_patterns import compiled
from tests.sandbox.conftest import Simulated

SLOW = json.dumps({"level": "error", "status": 503, "path": "/v1/claims", "took": {"ms": 1700}, "retry": True})


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR timeout", "timeout after ERROR", True),
        ("ERROR timeout", "ERROR alone", False),
        ('"two words"', "these two words", True),
        ('"two words"', "words two", False),
        ("?ERROR ?WARN", "a WARN line", True),
        ("?ERROR ?WARN", "an INFO line", False),
        ("ERROR -ignored", "ERROR ignored", False),
        ("%time(d )?out%", "it timed out", True),
        ('{ $.level = "error" }', SLOW, True),
        ('{ $.level != "error" }', SLOW, False),
        ("{ $.status = 503 }", SLOW, True),
        ("{ $.took.ms > 1000 && $.status >= 500 }", SLOW, True),
        ("{ $.took.ms > 2000 || $.status = 503 }", SLOW, True),
        ("{ $.retry = true }", SLOW, True),
        ('{ $.path = "/v1/*" }', SLOW, True),
        ("{ $.missing > 1 }", SLOW, False),
        ("{ $.status = 503 }", "not JSON", False),
    ],
)
def test_patterns(pattern: str, message: str, matches: bool) -> None:
    assert compiled(pattern)(message) is matches


@pytest.fixture
def logs(simulated: Simulated) -> Any:
    client = simulated.client("logs")
    client.create_log_group(logGroupName="/tests")
    for stream in ("a", "b"):
        client.create_log_stream(logGroupName="/tests", logStreamName=stream)
        events = [{"timestamp": 1000 * n + ord(stream), "message": f"{stream}{n}"} for n in range(10)]
        client.put_log_events(logGroupName="/tests", logStreamName=stream, logEvents=events)
    return client


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_it_merges_streams_by_time_within_bounds(logs: Any) -> None:
    answer = logs.filter_log_events(logGroupName="/tests", startTime=3000, endTime=4097)
    assert messages(answer) == ["a3", "b3", "a4"]


def test_it_keeps_to_the_named_streams(logs: Any) -> None:
    answer = logs.filter_log_events(logGroupName="/tests", logStreamNames=["b"], filterPattern="b1")
    assert messages(answer) == ["b1"]


def test_pages_follow_the_token_without_loss(logs: Any) -> None:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/tests", limit=7)
    sizes = [messages(page) for page in pages]
    assert [len(size) for size in sizes] == [7, 7, 6]
    assert len({message for size in sizes for message in size}) == 20


def test_an_unknown_group_is_refused(logs: Any) -> None:
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.filter_log_events(logGroupName="/nowhere")


def test_a_bad_pattern_is_refused(logs: Any) -> None:
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.filter_log_events(logGroupName="/tests", filterPattern="{ nonsense }")


def test_nova_has_its_groups(logs: Any) -> None:
    names = [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix="/nova/")["logGroups"]]
    assert names == ["/nova/api", "/nova/event-processor"]
