"""DescribeEvents as RDS and ElastiCache share it: a log of what happened, asked by source, category and time."""

from datetime import datetime, timedelta

from novaops.sandbox.aws.query import Document, aware, page
from novaops.sandbox.aws.wire import AwsError, Params
from novaops.sandbox.world import world

KEPT = timedelta(days=14)
DEFAULT_MINUTES = 60


class EventLog:
    """The events of one service. Like the real ones they carry no id, only a message (FACTS B2)."""

    def __init__(self) -> None:
        self._events: list[Document] = []

    def add(self, source: str, source_type: str, message: str, *categories: str, arn: str = "") -> None:
        """Record what just happened to `source`."""
        event = {"SourceIdentifier": source, "SourceType": source_type, "Message": message, "Date": world.now()}
        self._events.append({**event, "EventCategories": list(categories), "SourceArn": arn})

    def clear(self) -> None:
        self._events.clear()

    def describe(self, params: Params) -> Document:
        """The answer of DescribeEvents: oldest first, the last hour unless asked otherwise, at most 14 days back."""
        source, source_type = params.get("SourceIdentifier"), params.get("SourceType")
        if source and not source_type:
            raise AwsError("InvalidParameterCombination", "Cannot specify source identifier without source type")
        start, end = _window(params)
        wanted = set(params.get("EventCategories") or ())
        found = [
            event
            for event in self._events
            if start <= event["Date"] <= end
            and (not source_type or event["SourceType"] == source_type)
            and (not source or event["SourceIdentifier"] == source)
            and (not wanted or wanted & set(event["EventCategories"]))
        ]
        return page(sorted(found, key=lambda event: event["Date"]), params, "Events")


def _window(params: Params) -> tuple[datetime, datetime]:
    now = world.now()
    length = timedelta(minutes=int(params.get("Duration") or DEFAULT_MINUTES))
    start, end = aware(params.get("StartTime")), aware(params.get("EndTime"))
    if length > KEPT or (start and now - start > KEPT):
        raise AwsError("InvalidParameterValue", "Events are kept for 14 days: the start time is too far in the past")
    if start and end and end < start:
        raise AwsError("InvalidParameterValue", "The end time cannot be before the start time")
    if start and not end:
        end = start + length if params.get("Duration") else max(now, start)
    end = end or now
    return start or end - length, end
