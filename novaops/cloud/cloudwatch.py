"""CloudWatch: many series in as few GetMetricData calls as there are batches of 500 (FACTS E), and alarms by name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from novaops.cloud import aws
from novaops.environment import Environment

BATCH = 500
ALARMS_A_CALL = 100


@dataclass(frozen=True, kw_only=True)
class Query:
    """One metric and statistic. `dimensions` must be exactly those that the metric is published with."""

    namespace: str
    metric: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Values of a query by the start of their period. `failed` is a sentence where CloudWatch could not give them all.

    A metric that is unknown or published with other dimensions has no points and has not failed (FACTS E).
    """

    points: dict[datetime, float] = field(default_factory=dict)
    failed: str = ""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm now: its state and since when; `tells` is whether it sends messages. A composite one has no metric."""

    name: str
    state: str
    at: datetime
    reason: str = ""
    tells: bool = True
    namespace: str = ""
    dimensions: Mapping[str, str] = field(default_factory=dict)
    threshold: float | None = None


SENTENCES = {
    "PartialData": "CloudWatch gave only part of the values of {metric}",
    "Forbidden": "CloudWatch does not allow reading {metric}",
    "InternalError": "CloudWatch failed on {metric}",
}


def get_series(
    environment: Environment, queries: Sequence[Query], start: datetime, end: datetime, period_s: int
) -> list[Answer]:
    """The answers of the queries, in their order, for the periods from `start` until before `end`.

    Raises an OutsideError where CloudWatch does not answer.
    """
    return [answer for batch in _batched(queries) for answer in _batch(environment, batch, start, end, period_s)]


def describe_alarms(environment: Environment, names: Sequence[str]) -> dict[str, Alarm]:
    """The alarms of these names, as far as the environment's region has them. Raises an OutsideError."""
    found: dict[str, Alarm] = {}
    for index in range(0, len(names), ALARMS_A_CALL):
        some, kinds = list(names[index : index + ALARMS_A_CALL]), ["MetricAlarm", "CompositeAlarm"]
        told = aws.read(
            environment, "cloudwatch:DescribeAlarms", AlarmNames=some, AlarmTypes=kinds, MaxRecords=ALARMS_A_CALL
        )
        for one in (*told.get("MetricAlarms", []), *told.get("CompositeAlarms", [])):
            found[one["AlarmName"]] = _alarm(one)
    return found


def _alarm(told: dict[str, Any]) -> Alarm:
    return Alarm(
        name=told["AlarmName"],
        state=told["StateValue"],
        at=told.get("StateTransitionedTimestamp") or told["StateUpdatedTimestamp"],
        reason=told.get("StateReason", ""),
        tells=told.get("ActionsEnabled", True),
        namespace=told.get("Namespace", ""),
        dimensions={one["Name"]: one["Value"] for one in told.get("Dimensions", [])},
        threshold=told.get("Threshold"),
    )


def _batched(queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
    return (queries[index : index + BATCH] for index in range(0, len(queries), BATCH))


def _batch(
    environment: Environment, queries: Sequence[Query], start: datetime, end: datetime, period_s: int
) -> list[Answer]:
    points: list[dict[datetime, float]] = [{} for _ in queries]
    statuses = ["Complete"] * len(queries)
    for result in _results(
        environment,
        MetricDataQueries=[_wire(index, query, period_s) for index, query in enumerate(queries)],
        StartTime=start,
        EndTime=end,
        ScanBy="TimestampAscending",
    ):
        index = int(result["Id"][1:])
        points[index].update(zip(result["Timestamps"], result["Values"], strict=True))
        statuses[index] = result["StatusCode"]
    return [
        Answer(points=found, failed=SENTENCES.get(status, "").format(metric=query.metric))
        for query, found, status in zip(queries, points, statuses, strict=True)
    ]


def _results(environment: Environment, **params: Any) -> Iterator[dict[str, Any]]:
    """The results of every page. A series cut by a page is PartialData there and goes on in the next."""
    while True:
        page = aws.read(environment, "cloudwatch:GetMetricData", **params)
        yield from page["MetricDataResults"]
        if not page.get("NextToken"):
            return
        params["NextToken"] = page["NextToken"]


def _wire(index: int, query: Query, period_s: int) -> dict[str, Any]:
    """The query as GetMetricData takes it. Without Unit: a wrong one yields nothing, without an error (FACTS E)."""
    metric = {
        "Namespace": query.namespace,
        "MetricName": query.metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in query.dimensions],
    }
    return {
        "Id": f"m{index}",
        "MetricStat": {"Metric": metric, "Period": period_s, "Stat": query.statistic},
        "ReturnData": True,
    }
