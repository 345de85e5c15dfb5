"""CloudWatch Logs: the lines of a log group in a bounded stretch of time, by FilterLogEvents or by Logs Insights."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from novaops.cloud import aws
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment

PAGES = 5
FIRST_STRETCH = timedelta(seconds=30)
SHORTEST_STRETCH = timedelta(seconds=1)
STRETCHES = 16
STRETCH_LINES = 1000


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


def newest(
    environment: Environment, group: str, *, start: datetime, end: datetime, pattern: str = "", limit: int = 100
) -> list[Line]:
    """The newest `limit` lines, oldest first; fewer where STRETCHES questions did not find them."""

    def ask(since: datetime, until: datetime) -> list[Line]:
        return filter_events(environment, group, start=since, end=until, pattern=pattern, limit=STRETCH_LINES)

    return newest_by(ask, start=start, end=end, limit=limit)


def newest_by(
    ask: Callable[[datetime, datetime], list[Line]], *, start: datetime, end: datetime, limit: int
) -> list[Line]:
    """The newest `limit` lines by questions that answer with the oldest STRETCH_LINES of a stretch, as AWS does.

    Stretches are read backwards. One with more lines than an answer holds tells from when on there are newer ones:
    what is behind that is halved until an answer holds it.
    """
    found: list[Line] = []
    length, floor = FIRST_STRETCH, None
    for _ in range(STRETCHES):
        if end <= start or len(found) >= limit:
            break
        since = max(start, end - length) if floor is None else _half_way(floor, end)
        lines = ask(since, end)
        if len(lines) >= STRETCH_LINES and lines[-1].at > since:
            floor = lines[-1].at
            continue
        found = lines + found
        # The end of a stretch belongs to it.
        end, length = since - timedelta(milliseconds=1), length * 4
        if floor is not None and (lines or end <= floor):
            length, floor = FIRST_STRETCH, None
    return found[-limit:]


def _half_way(floor: datetime, end: datetime) -> datetime:
    """Where the next stretch begins. What is short enough is asked for as a whole: the newest may be at its start."""
    return floor if end - floor < SHORTEST_STRETCH else floor + (end - floor) / 2


def start_query(environment: Environment, group: str, query: str, *, start: datetime, end: datetime, limit: int) -> str:
    """Let Logs Insights look through a long stretch; its id is for `query_result`."""
    answer = aws.read(
        environment,
        "logs:StartQuery",
        logGroupName=group,
        startTime=int(start.timestamp()),
        endTime=int(end.timestamp()),
        queryString=query,
        limit=limit,
    )
    return str(answer["queryId"])


def query_result(environment: Environment, query_id: str) -> list[Line] | None:
    """The lines that a query found, oldest first; None while it runs. Raises an OutsideError where it failed."""
    answer = aws.read(environment, "logs:GetQueryResults", queryId=query_id)
    if answer["status"] in ("Scheduled", "Running", "Unknown"):
        return None
    if answer["status"] != "Complete":
        raise OutsideError(f"Logs Insights ended the query as {answer['status'].lower()}")
    rows = [{field["field"]: field["value"] for field in row} for row in answer["results"]]
    lines = (
        Line(
            at=datetime.fromisoformat(row["@timestamp"]).replace(tzinfo=UTC),
            stream=row.get("@logStream", ""),
            message=row.get("@message", ""),
        )
        for row in rows
    )
    return sorted(lines, key=lambda line: line.at)


def _line(event: dict[str, Any]) -> Line:
    return Line(
        at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        stream=event.get("logStreamName", ""),
        message=event["message"],
    )
