"""The simulated Logs Insights: filters on @message, newest first. A query runs for one look before it is complete."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from novaops.sandbox.aws.wire import AwsError, Params

FIELDS = "fields @timestamp, @logStream, @message"
FILTER = re.compile(r'filter @message like (?:"((?:[^"\\]|\\.)*)"|/((?:[^/\\]|\\.)*)/)')
SORT = "sort @timestamp desc"


@dataclass
class Query:
    """One query: what it found, and how often somebody looked."""

    results: list[list[dict[str, str]]]
    looks: int = 0


_queries: dict[str, Query] = {}
_numbers = itertools.count(1)


def start_query(params: Params) -> dict[str, Any]:
    """logs:StartQuery, of the few commands that are understood here."""
    from novaops.sandbox.aws import logs

    matches = _filters(params["queryString"])
    found = [(event, stream) for event, stream in logs.lines(params) if all(fits(event.message) for fits in matches)]
    newest = sorted(found, reverse=True)[: params.get("limit") or 1000]
    query_id = f"query-{next(_numbers)}"
    _queries[query_id] = Query([_row(event.at_ms, stream, event.message) for event, stream in newest])
    return {"queryId": query_id}


def get_query_results(params: Params) -> dict[str, Any]:
    """logs:GetQueryResults: still running at the first look."""
    query = _queries.get(params["queryId"])
    if query is None:
        raise AwsError("ResourceNotFoundException", "The specified query does not exist.")
    query.looks += 1
    if query.looks == 1:
        return {"status": "Running", "results": [], "statistics": {}}
    return {"status": "Complete", "results": query.results, "statistics": {}}


def reset() -> None:
    """Forget all."""
    _queries.clear()


def _filters(text: str) -> list[Callable[[str], bool]]:
    filters = list(FILTER.finditer(text))
    rest = FILTER.sub("", text).replace("|", " ").split()
    if rest != [*FIELDS.split(), *SORT.split()]:
        raise AwsError("MalformedQueryException", "unexpected symbol found in the query")
    return [_fits(one[1], one[2]) for one in filters]


def _fits(words: str | None, expression: str | None) -> Callable[[str], bool]:
    if words is not None:
        wanted = re.sub(r"\\(.)", r"\1", words)
        return lambda message: wanted in message
    found = re.compile(expression or "")
    return lambda message: found.search(message) is not None


def _row(at_ms: int, stream: str, message: str) -> list[dict[str, str]]:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    told = {"@timestamp": f"{at:%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03d}", "@logStream": stream, "@message": message}
    return [{"field": name, "value": value} for name, value in told.items()]
