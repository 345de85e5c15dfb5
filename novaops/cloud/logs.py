"""CloudWatch Logs: the lines of a log group in a bounded stretch of time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from novaops.cloud import aws
from novaops.environment import Environment

PAGES = 5


@dataclass(frozen=True, kw_only=True)
class Line:
    """One log event. The message is what Nova wrote: escape it before showing it."""

    at: datetime
    stream: str
    message: str


def filter_events(
    environment: Environment, group: str, *, start: datetime, end: datetime, pattern: str = "", limit: int = 100
) -> list[Line]:
    """Up to `limit` lines that match a CloudWatch filter pattern, oldest first.

    A page may be empty and not the last; at most PAGES of them are read, so that a rare pattern in a long stretch
    answers with what was found so far.
    """
    params: dict[str, Any] = {
        "logGroupName": group,
        "startTime": int(start.timestamp() * 1000),
        "endTime": int(end.timestamp() * 1000),
        "limit": limit,
        **({"filterPattern": pattern} if pattern else {}),
    }
    lines: list[Line] = []
    for _ in range(PAGES):
        page = aws.read(environment, "logs:FilterLogEvents", **params)
        lines += [_line(event) for event in page.get("events", [])]
        if len(lines) >= limit or not page.get("nextToken"):
            break
        params["nextToken"] = page["nextToken"]
    return lines[:limit]


def _line(event: dict[str, Any]) -> Line:
    return Line(
        at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        stream=event.get("logStreamName", ""),
        message=event["message"],
    )
