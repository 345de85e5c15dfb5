"""The simulated CloudWatch Logs: groups, streams and events in memory, filtered by pattern and time, in pages."""

import base64
import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from moto.logs.responses import LogsResponse

from novaops.sandbox.aws import log_insights
from novaops.sandbox.aws.log_patterns import compiled
from novaops.sandbox.aws.wire import AwsError, Params, arn, attach
from novaops.sandbox.world import world

API_GROUP = "/nova/api"
PROCESSOR_GROUP = "/nova/event-processor"
MOST_EVENTS = 10_000
KEPT_PER_STREAM = 20_000


class Event(NamedTuple):
    """One line; `at_ms` is its own time, `ingested_ms` when it was received, in epoch milliseconds."""

    at_ms: int
    number: int
    message: str
    ingested_ms: int


@dataclass
class Group:
    """One log group: its streams, each with its newest events."""

    name: str
    created_ms: int
    streams: dict[str, deque[Event]] = field(default_factory=dict)
    retention_days: int | None = None


_groups: dict[str, Group] = {}
_numbers = itertools.count(1)


def _now_ms() -> int:
    return int(world.now().timestamp() * 1000)


def write(group: str, stream: str, message: str, at_ms: int | None = None) -> None:
    """Add one line, as the awslogs driver of a container would."""
    with world.lock:
        streams = _groups.setdefault(group, Group(group, _now_ms())).streams
        now = _now_ms()
        event = Event(at_ms if at_ms is not None else now, next(_numbers), message, now)
        streams.setdefault(stream, deque(maxlen=KEPT_PER_STREAM)).append(event)


def _group(params: Params) -> Group:
    name = params.get("logGroupName") or (params.get("logGroupIdentifier") or "").partition(":log-group:")[
        2
    ].removesuffix(":*")
    if name not in _groups:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    return _groups[name]


def create_log_group(params: Params) -> dict[str, Any]:
    """logs:CreateLogGroup."""
    name = params["logGroupName"]
    if name in _groups:
        raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
    _groups[name] = Group(name, _now_ms())
    return {}


def create_log_stream(params: Params) -> dict[str, Any]:
    """logs:CreateLogStream."""
    streams = _group(params).streams
    if params["logStreamName"] in streams:
        raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
    streams[params["logStreamName"]] = deque(maxlen=KEPT_PER_STREAM)
    return {}


def put_log_events(params: Params) -> dict[str, Any]:
    """logs:PutLogEvents."""
    group, stream = _group(params), params["logStreamName"]
    if stream not in group.streams:
        raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
    for event in params["logEvents"]:
        write(group.name, stream, event["message"], int(event["timestamp"]))
    return {"nextSequenceToken": str(next(_numbers))}


def describe_log_groups(params: Params) -> dict[str, Any]:
    """logs:DescribeLogGroups."""
    prefix = params.get("logGroupNamePrefix") or ""
    groups = [
        {
            "logGroupName": group.name,
            "creationTime": group.created_ms,
            "arn": arn("logs", f"log-group:{group.name}:*"),
            "storedBytes": 0,
        }
        for group in _groups.values()
        if group.name.startswith(prefix)
    ]
    return {"logGroups": sorted(groups, key=lambda group: str(group["logGroupName"]))}


def describe_log_streams(params: Params) -> dict[str, Any]:
    """logs:DescribeLogStreams."""
    group, prefix = _group(params), params.get("logStreamNamePrefix") or ""
    streams = [_shown_stream(name, events) for name, events in group.streams.items() if name.startswith(prefix)]
    by = "lastEventTimestamp" if params.get("orderBy") == "LastEventTime" else "logStreamName"
    streams.sort(key=lambda stream: stream.get(by, 0), reverse=bool(params.get("descending")))
    return {"logStreams": streams[: params.get("limit") or 50]}


def _shown_stream(name: str, events: deque[Event]) -> dict[str, Any]:
    ends = {"firstEventTimestamp": events[0].at_ms, "lastEventTimestamp": events[-1].at_ms} if events else {}
    return {"logStreamName": name, "storedBytes": 0, **ends}


def filter_log_events(params: Params) -> dict[str, Any]:
    """logs:FilterLogEvents: oldest first; endTime is inclusive, as in AWS."""
    group, matches = _group(params), compiled(params.get("filterPattern"))
    start, end = params.get("startTime") or 0, params.get("endTime")
    names = _chosen(group, params)
    ordered = heapq.merge(*([(event, name) for event in sorted(group.streams[name])] for name in names))
    after = _token(params.get("nextToken"))
    limit = min(params.get("limit") or MOST_EVENTS, MOST_EVENTS)
    found = (
        (event, name)
        for event, name in ordered
        if start <= event.at_ms and (end is None or event.at_ms <= end) and event[:2] > after and matches(event.message)
    )
    page = list(itertools.islice(found, limit + 1))
    more = {"nextToken": _made_token(page[limit - 1][0])} if len(page) > limit else {}
    return {"events": [_shown(event, name) for event, name in page[:limit]], "searchedLogStreams": [], **more}


def _chosen(group: Group, params: Params) -> list[str]:
    names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix") or ""
    return [name for name in group.streams if (not names or name in names) and name.startswith(prefix)]


def _shown(event: Event, stream: str) -> dict[str, Any]:
    return {
        "logStreamName": stream,
        "timestamp": event.at_ms,
        "message": event.message,
        "ingestionTime": event.ingested_ms,
        "eventId": f"{event.at_ms:020d}{event.number:036d}",
    }


def _made_token(event: Event) -> str:
    return base64.urlsafe_b64encode(f"{event.at_ms}/{event.number}".encode()).decode()


def _token(token: str | None) -> tuple[int, int]:
    if not token:
        return (-1, -1)
    try:
        at_ms, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition("/")
        return int(at_ms), int(number)
    except ValueError as wrong:
        raise AwsError("InvalidParameterException", "The specified nextToken is invalid.") from wrong


def lines(params: Params) -> list[tuple[Event, str]]:
    """Every event of the group between startTime and endTime, in epoch seconds, with its stream."""
    group, start, end = _group(params), params["startTime"] * 1000, params["endTime"] * 1000
    found = ((event, name) for name, events in group.streams.items() for event in events)
    return [(event, name) for event, name in found if start <= event.at_ms <= end]


def get_log_events(params: Params) -> dict[str, Any]:
    """logs:GetLogEvents: the newest of one stream unless startFromHead; without further pages."""
    group, name = _group(params), params["logStreamName"]
    if name not in group.streams:
        raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
    start, end, limit = params.get("startTime") or 0, params.get("endTime"), params.get("limit") or MOST_EVENTS
    events = [e for e in sorted(group.streams[name]) if start <= e.at_ms and (end is None or e.at_ms < end)]
    chosen = events[:limit] if params.get("startFromHead") else events[-limit:]
    token = params.get("nextToken") or "f/end"
    shown = [] if params.get("nextToken") else [_shown(event, name) for event in chosen]
    keys = ("timestamp", "message", "ingestionTime")
    events_out = [{key: event[key] for key in keys} for event in shown]
    return {"events": events_out, "nextForwardToken": token, "nextBackwardToken": "b/end"}


def install() -> None:
    """Answer in moto's place."""
    attach(LogsResponse, create_log_group, create_log_stream, put_log_events, describe_log_groups)
    attach(LogsResponse, describe_log_streams, filter_log_events, get_log_events)
    attach(LogsResponse, log_insights.start_query, log_insights.get_query_results)


def reset() -> None:
    """Forget all."""
    _groups.clear()
    log_insights.reset()


def seed() -> None:
    """The empty groups of Nova's two services."""
    for name in (API_GROUP, PROCESSOR_GROUP):
        create_log_group({"logGroupName": name})
