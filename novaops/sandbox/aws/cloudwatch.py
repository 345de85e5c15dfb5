"""The simulated CloudWatch: metrics as FACTS.md E tells it, and alarms. moto's is replaced: slow, and wrong."""

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from novaops.sandbox.aws import alarms
from novaops.sandbox.aws.metrics import Key, Point, Series, metrics, point, statistic
from novaops.sandbox.aws.wire import AwsError, Params, attach, parameters
from novaops.sandbox.world import world

MOST_QUERIES = 500
MOST_POINTS = 100_800
MOST_DATA = 1000
FINE_PERIODS = (1, 5, 10, 20, 30)
QUERY_ID = re.compile(r"^[a-z][A-Za-z0-9_]*$")
FILL = re.compile(r"^FILL\(\s*([a-z]\w*)\s*,\s*(-?\d+(?:\.\d+)?)\s*\)$")
SET_MEMBERS = ("Sum", "SampleCount", "Minimum", "Maximum")
JSON_TYPE = "application/x-amz-json-1.0"


def seconds(value: Any) -> float:
    """Epoch seconds of a time on the wire."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, int | float):
        return float(value)
    return datetime.fromisoformat(str(value)).timestamp()


def key_of(metric: Params) -> Key:
    """What names a metric: namespace, name and exactly these dimensions."""
    dimensions = frozenset((one["Name"], one["Value"]) for one in metric.get("Dimensions") or [])
    return metric["Namespace"], metric["MetricName"], dimensions


def put_metric_data(params: Params) -> dict[str, Any]:
    """cloudwatch:PutMetricData: single values, values with counts, or statistic sets."""
    data = params.get("MetricData") or []
    if len(data) > MOST_DATA:
        raise AwsError(
            "InvalidParameterValue", f"The collection MetricData must not have a size greater than {MOST_DATA}."
        )
    for datum in data:
        at = seconds(datum["Timestamp"]) if datum.get("Timestamp") else world.now().timestamp()
        metrics.put(key_of({**datum, "Namespace": params["Namespace"]}), at, _point(datum), datum.get("Unit") or "None")
    return {}


def _point(datum: Params) -> Point:
    if statistics := datum.get("StatisticValues"):
        total, weight, low, high = (float(statistics[name]) for name in SET_MEMBERS)
        return Point(total, weight, low, high)
    if values := datum.get("Values"):
        counts = datum.get("Counts") or [1] * len(values)
        return point(float(v) for v, n in zip(values, counts, strict=True) for _ in range(int(n)))
    if datum.get("Value") is None:
        raise AwsError("MissingRequiredParameter", "One of Value, Values or StatisticValues is required.")
    return point([float(datum["Value"])])


def check_period(period: Any) -> int:
    """The period in seconds. Raises where it is neither a high-resolution one nor whole minutes."""
    value = int(period or 0)
    if value in FINE_PERIODS or (value > 0 and value % 60 == 0):
        return value
    raise AwsError("ValidationError", "Period must be 1, 5, 10, 20, 30 or a multiple of 60.")


def _window(params: Params) -> tuple[float, float]:
    start, end = seconds(params["StartTime"]), seconds(params["EndTime"])
    if start >= end:
        raise AwsError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    return start, end


def get_metric_data(params: Params) -> dict[str, Any]:
    """cloudwatch:GetMetricData: unknown metrics are Complete and empty, newest first unless ScanBy says otherwise."""
    queries = _checked(params.get("MetricDataQueries") or [])
    start, end = _window(params)
    found: dict[str, list[tuple[float, float]]] = {}
    for query in queries:
        if "MetricStat" in query:
            found[query["Id"]] = _points(query["MetricStat"], start, end)
    for query in queries:
        if "MetricStat" not in query:
            found[query["Id"]] = _computed(query, found, start, end)
    newest_first = (params.get("ScanBy") or "TimestampDescending") == "TimestampDescending"
    shown = [query for query in queries if query.get("ReturnData", True)]
    series = [(q, found[q["Id"]][::-1] if newest_first else found[q["Id"]]) for q in shown]
    return _page(series, params)


def _checked(queries: list[Params]) -> list[Params]:
    if not queries or len(queries) > MOST_QUERIES:
        raise AwsError("ValidationError", f"The collection MetricDataQueries must have 1 to {MOST_QUERIES} members.")
    ids = [query["Id"] for query in queries]
    if wrong := [one for one in ids if not QUERY_ID.match(one)]:
        raise AwsError(
            "ValidationError", f"The value {wrong[0]} for parameter Id is not matching the expected pattern."
        )
    if len(set(ids)) != len(ids):
        raise AwsError("ValidationError", "The values for parameter Id must be unique.")
    return queries


def _points(wanted: Params, start: float, end: float) -> list[tuple[float, float]]:
    period_s, name = check_period(wanted.get("Period")), wanted["Stat"]
    compute = statistic(name)
    if compute is None:
        raise AwsError("ValidationError", f"The value {name} for parameter Stat is not supported.")
    series = metrics.find(key_of(wanted["Metric"]))
    if series is None or wanted.get("Unit") not in (None, series.unit):
        return []
    first = start // period_s * period_s
    values = [(at, compute(one)) for at, one in series.periods(first, end, period_s)]
    return [(at, value) for at, value in values if value is not None]


def _computed(
    query: Params, found: dict[str, list[tuple[float, float]]], start: float, end: float
) -> list[tuple[float, float]]:
    """FILL(metric, number) is the only expression of CloudWatch's metric math that is known here."""
    match = FILL.match((query.get("Expression") or "").strip())
    if match is None or match[1] not in found:
        raise AwsError("ValidationError", f"Error in expression '{query['Id']}': only FILL(id, number) is known here.")
    period_s = check_period(query.get("Period") or 60)
    known = dict(found[match[1]])
    first, last = int(start // period_s), int(-(-end // period_s))
    return [(n * period_s, known.get(float(n * period_s), float(match[2]))) for n in range(first, last)]


def _page(series: list[tuple[Params, list[tuple[float, float]]]], params: Params) -> dict[str, Any]:
    size = min(params.get("MaxDatapoints") or MOST_POINTS, MOST_POINTS)
    skip = _offset(params.get("NextToken"))
    left, seen, results = size, 0, []
    total = sum(len(points) for _, points in series)
    for query, points in series:
        begin = max(0, min(len(points), skip - seen))
        part = points[begin : begin + left]
        seen += len(points)
        left -= len(part)
        complete = begin + len(part) >= len(points)
        results.append(_result(query, part, complete=complete))
    more = {"NextToken": _token(skip + size)} if skip + size < total else {}
    return {"MetricDataResults": results, "Messages": [], **more}


def _result(query: Params, points: list[tuple[float, float]], *, complete: bool) -> dict[str, Any]:
    metric = query.get("MetricStat", {}).get("Metric", {}).get("MetricName")
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or metric or query["Id"],
        "Timestamps": [at for at, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete" if complete else "PartialData",
    }


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()))
    except ValueError as wrong:
        raise AwsError("InvalidNextToken", "The next token specified is invalid.") from wrong


def _get_metric_data(response: CloudWatchResponse) -> Any:
    """The JSON answer is written at once: moto's serializer takes seconds for a day of a hundred metrics."""
    answer = get_metric_data(parameters(response))
    if response.headers.get("Content-Type") == JSON_TYPE:
        return 200, {"Content-Type": JSON_TYPE}, json.dumps(answer)
    for result in answer["MetricDataResults"]:
        result["Timestamps"] = [datetime.fromtimestamp(at, UTC) for at in result["Timestamps"]]
    return ActionResult(answer)


def get_metric_statistics(params: Params) -> dict[str, Any]:
    """cloudwatch:GetMetricStatistics."""
    period_s = check_period(params.get("Period"))
    start, end = _window(params)
    names = [*(params.get("Statistics") or []), *(params.get("ExtendedStatistics") or [])]
    series = metrics.find(key_of(params)) or Series("None")
    points = []
    for at, one in series.periods(start // period_s * period_s, end, period_s):
        found = {name: compute(one) for name in names if (compute := statistic(name))}
        plain = {name: value for name, value in found.items() if not name.startswith("p")}
        extended = {name: value for name, value in found.items() if name.startswith("p")}
        more = {"ExtendedStatistics": extended} if extended else {}
        points.append({"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": series.unit, **plain, **more})
    return {"Label": params["MetricName"], "Datapoints": points}


def list_metrics(params: Params) -> dict[str, Any]:
    """cloudwatch:ListMetrics."""
    wanted = {(one["Name"], one.get("Value")) for one in params.get("Dimensions") or []}
    found = []
    for (namespace, name, dimensions), _ in metrics.all():
        pairs = set(dimensions) | {(key, None) for key, _ in dimensions}
        if params.get("Namespace") not in (None, namespace) or params.get("MetricName") not in (None, name):
            continue
        if wanted <= pairs:
            shown = [{"Name": key, "Value": value} for key, value in sorted(dimensions)]
            found.append({"Namespace": namespace, "MetricName": name, "Dimensions": shown})
    return {"Metrics": found[:500]}


def install() -> None:
    """Answer in moto's place."""
    attach(CloudWatchResponse, put_metric_data, get_metric_statistics, list_metrics)
    attach(CloudWatchResponse, alarms.put_metric_alarm, alarms.describe_alarms, alarms.delete_alarms)
    attach(CloudWatchResponse, alarms.set_alarm_state, alarms.describe_alarm_history)
    CloudWatchResponse.get_metric_data = _get_metric_data


def reset() -> None:
    """Forget all."""
    metrics.clear()
    alarms.clear()


def seed() -> None:
    """Nova's alarms; the metrics come from the ticker."""
    alarms.seed()
