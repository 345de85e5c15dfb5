"""The simulated CloudWatch behaves as FACTS E says of the real one."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from novaops.sandbox.aws.cloudwatch import get_metric_data
from novaops.sandbox.aws.metrics import Metrics, merged, metrics, percentile, point, statistic
from tests.sandbox.conftest import Simulated, eventually

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
OF_API = [{"Name": "ClusterName", "Value": "nova"}, {"Name": "ServiceName", "Value": "nova-api"}]
BALANCER = [{"Name": "LoadBalancer", "Value": "app/nova-alb/50dc6c495c0c9188"}]


@pytest.fixture
def cloudwatch(simulated: Simulated) -> Any:
    return simulated.client("cloudwatch")


def query(name: str, statistic: str = "Average", period_s: int = 60, **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "Tests", "MetricName": name, "Dimensions": more.pop("dimensions", [])}
    metric["Namespace"] = more.pop("namespace", "Tests")
    return {"Id": more.pop("id", "one"), "MetricStat": {"Metric": metric, "Period": period_s, "Stat": statistic} | more}


def data(cloudwatch: Any, *queries: dict[str, Any], start: datetime = NOON, hours: float = 1, **more: Any) -> Any:
    return cloudwatch.get_metric_data(
        MetricDataQueries=list(queries), StartTime=start, EndTime=start + timedelta(hours=hours), **more
    )


def values(cloudwatch: Any, *queries: dict[str, Any], **more: Any) -> list[float]:
    return data(cloudwatch, *queries, **more)["MetricDataResults"][0]["Values"]


def put(cloudwatch: Any, name: str, *numbers: float, step_s: int = 60, **more: Any) -> None:
    points = [
        {"MetricName": name, "Timestamp": NOON + timedelta(seconds=n * step_s), "Value": value, **more}
        for n, value in enumerate(numbers)
    ]
    cloudwatch.put_metric_data(Namespace="Tests", MetricData=points)


def refusal(call: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(*arguments, **more)
    return str(refused.value.response["Error"]["Code"])


def test_it_gives_back_what_was_put_newest_first(cloudwatch: Any) -> None:
    put(cloudwatch, "load", 1, 2, 3)
    result = data(cloudwatch, query("load"))["MetricDataResults"][0]
    assert result["Values"] == [3, 2, 1]
    assert result["Timestamps"][0] == NOON + timedelta(minutes=2)
    assert result["StatusCode"] == "Complete"
    assert values(cloudwatch, query("load"), ScanBy="TimestampAscending") == [1, 2, 3]


def test_an_unknown_metric_is_complete_and_empty(cloudwatch: Any) -> None:
    result = data(cloudwatch, query("nothing"))["MetricDataResults"][0]
    assert (result["StatusCode"], result["Values"]) == ("Complete", [])


def test_dimensions_and_namespace_match_exactly(cloudwatch: Any) -> None:
    node = [{"Name": "Node", "Value": "1"}]
    put(cloudwatch, "load", 1, Dimensions=node)
    assert values(cloudwatch, query("load")) == []
    assert values(cloudwatch, query("load", dimensions=node)) == [1]
    assert values(cloudwatch, query("load", dimensions=[*node, {"Name": "Zone", "Value": "a"}])) == []
    assert values(cloudwatch, query("load", dimensions=node, namespace="Others")) == []


def test_a_wrong_unit_yields_nothing(cloudwatch: Any) -> None:
    put(cloudwatch, "load", 1, Unit="Percent")
    assert values(cloudwatch, query("load", Unit="Count")) == []
    assert values(cloudwatch, query("load", Unit="Percent")) == [1]


def test_the_end_is_exclusive(cloudwatch: Any) -> None:
    put(cloudwatch, "load", 1, 2)
    assert values(cloudwatch, query("load"), hours=1 / 60) == [1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Sum", 10), ("Minimum", 1), ("Maximum", 4), ("SampleCount", 4), ("Average", 2.5), ("p50", 2.5), ("p100", 4)],
)
def test_it_computes_statistics_over_a_period(cloudwatch: Any, name: str, expected: float) -> None:
    put(cloudwatch, "load", 1, 2, 3, 4, step_s=10)
    assert values(cloudwatch, query("load", name)) == [expected]


def test_fine_periods_are_known(cloudwatch: Any) -> None:
    put(cloudwatch, "load", 1, 2, 3, 4, step_s=5)
    assert values(cloudwatch, query("load", period_s=5), ScanBy="TimestampAscending") == [1, 2, 3, 4]
    assert values(cloudwatch, query("load", period_s=10), ScanBy="TimestampAscending") == [1.5, 3.5]


def test_values_with_counts_and_statistic_sets_are_understood(cloudwatch: Any) -> None:
    put_one = {"MetricName": "many", "Timestamp": NOON, "Values": [1.0, 5.0], "Counts": [3.0, 1.0]}
    a_set = {"SampleCount": 4, "Sum": 8.0, "Minimum": 1.0, "Maximum": 5.0}
    cloudwatch.put_metric_data(
        Namespace="Tests",
        MetricData=[put_one, {"MetricName": "set", "Timestamp": NOON, "StatisticValues": a_set}],
    )
    assert values(cloudwatch, query("many")) == values(cloudwatch, query("set")) == [2]


@pytest.mark.parametrize("period_s", [3, 7, 61])
def test_it_refuses_other_periods(cloudwatch: Any, period_s: int) -> None:
    assert "Validation" in refusal(data, cloudwatch, query("load", period_s=period_s))


def test_it_refuses_bad_ids_and_too_many_queries(cloudwatch: Any) -> None:
    assert "Validation" in refusal(data, cloudwatch, query("load", id="Bad"))
    assert "Validation" in refusal(data, cloudwatch, query("load"), query("load"))
    assert "Validation" in refusal(data, cloudwatch, *(query("load", id=f"m{n}") for n in range(501)))


def test_it_refuses_a_start_after_the_end(cloudwatch: Any) -> None:
    assert "Validation" in refusal(data, cloudwatch, query("load"), hours=-1)


def test_pages_follow_the_token(cloudwatch: Any) -> None:
    put(cloudwatch, "load", 1, 2, 3)
    put(cloudwatch, "more", 4, 5)
    asked = [query("load"), query("more", id="two")]
    first = data(cloudwatch, *asked, MaxDatapoints=2, ScanBy="TimestampAscending")
    assert [one["Values"] for one in first["MetricDataResults"]] == [[1, 2], []]
    assert first["MetricDataResults"][0]["StatusCode"] == "PartialData"
    found: dict[str, list[float]] = {"one": [], "two": []}
    page, token = first, first["NextToken"]
    while True:
        for one in page["MetricDataResults"]:
            found[one["Id"]] += one["Values"]
        if not token:
            break
        page = data(cloudwatch, *asked, MaxDatapoints=2, ScanBy="TimestampAscending", NextToken=token)
        token = page.get("NextToken")
    assert found == {"one": [1, 2, 3], "two": [4, 5]}


def test_fill_puts_a_number_where_there_is_no_data(cloudwatch: Any) -> None:
    put(cloudwatch, "errors", 2)
    filled = {"Id": "filled", "Expression": "FILL(one, 0)", "Period": 60}
    hidden = query("errors", "Sum") | {"ReturnData": False}
    results = data(cloudwatch, hidden, filled, hours=3 / 60, ScanBy="TimestampAscending")["MetricDataResults"]
    assert [(one["Id"], one["Values"]) for one in results] == [("filled", [2, 0, 0])]


def test_the_percentile_interpolates() -> None:
    assert percentile((4.0, 1.0, 2.0, 3.0), 95) == pytest.approx(3.85)
    median = statistic("p50")
    assert median is not None
    assert median(merged([point([1.0]), point([3.0])])) == 2


def test_what_is_older_than_three_hours_becomes_minutes() -> None:
    store, key = Metrics(), ("Tests", "load", frozenset[tuple[str, str]]())
    now = NOON.timestamp()
    for seconds_ago in range(4 * 3600, 0, -5):
        store.put(key, now - seconds_ago, point([1.0]))
    store.compact(now)
    series = store.find(key)
    assert series is not None
    assert len(series.times) == 60 + 3 * 720
    assert sum(one.weight for one in series.points) == 4 * 720
    assert series.times == sorted(series.times)


def test_a_day_of_a_hundred_metrics_takes_seconds_not_minutes() -> None:
    key = ("Tests", "day", frozenset[tuple[str, str]]())
    for minute in range(1440):
        metrics.put(key, NOON.timestamp() + 60 * minute, point([float(minute)]))
    queries = [query("day", id=f"m{n}") for n in range(100)]
    asked = {"MetricDataQueries": queries, "StartTime": NOON, "EndTime": NOON + timedelta(days=1)}
    # Processor time, so that a busy machine does not decide.
    began_s = time.process_time()
    first = get_metric_data(asked)
    second = get_metric_data(asked | {"NextToken": first["NextToken"]})
    json.dumps([first, second])
    took_s = time.process_time() - began_s
    metrics.clear()
    found = [one["Values"] for page in (first, second) for one in page["MetricDataResults"]]
    assert sum(len(values) for values in found) == 144_000
    assert took_s < 5


def test_calm_history_is_there_from_the_start(simulated: Simulated, cloudwatch: Any) -> None:
    simulated.control("reset", {"seed": 1})
    now = datetime.now(UTC)
    cpu = query("CPUUtilization", namespace="AWS/ECS", dimensions=OF_API)
    found = values(cloudwatch, cpu, start=now - timedelta(hours=3), hours=3)
    assert len(found) >= 175
    assert max(found) < 60
    p95 = query("TargetResponseTime", "p95", namespace="AWS/ApplicationELB", dimensions=BALANCER)
    assert 0 < max(values(cloudwatch, p95, start=now - timedelta(hours=1))) < 0.5


def test_an_alarm_follows_its_metric(cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(
        AlarmName="load",
        Namespace="Tests",
        MetricName="now",
        Statistic="Average",
        Period=5,
        EvaluationPeriods=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
    )

    def state() -> str:
        soon = datetime.now(UTC)
        point_now = {"MetricName": "now", "Timestamp": soon, "Value": 50.0}
        cloudwatch.put_metric_data(Namespace="Tests", MetricData=[point_now])
        return str(cloudwatch.describe_alarms(AlarmNames=["load"])["MetricAlarms"][0]["StateValue"])

    assert state() == "INSUFFICIENT_DATA"
    eventually(state, lambda found: found == "ALARM")


def test_an_alarm_can_be_set_by_hand(cloudwatch: Any) -> None:
    alarms = {one["AlarmName"]: one for one in cloudwatch.describe_alarms()["MetricAlarms"]}
    assert set(alarms) == {"nova-api-high-cpu", "nova-events-blocks-behind"}
    cloudwatch.set_alarm_state(AlarmName="nova-api-high-cpu", StateValue="ALARM", StateReason="drill")
    history = cloudwatch.describe_alarm_history(AlarmName="nova-api-high-cpu")["AlarmHistoryItems"]
    assert history[0]["HistorySummary"].endswith("to ALARM")


def test_it_refuses_to_set_an_unknown_alarm(cloudwatch: Any) -> None:
    code = refusal(cloudwatch.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="drill")
    assert code == "ResourceNotFound"
