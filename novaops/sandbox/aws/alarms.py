"""CloudWatch alarms of the sandbox: kept, evaluated at each tick, set by hand until the next evaluation."""

import json
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from novaops.sandbox.aws import notifications
from novaops.sandbox.aws.metrics import Key, metrics, statistic
from novaops.sandbox.aws.wire import ACCOUNT, AwsError, Params, arn
from novaops.sandbox.world import world

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
HISTORY_KEPT = 200


@dataclass
class Alarm:
    """One metric alarm: what was asked for, and its state."""

    params: Params
    updated_at: datetime
    state: str = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str = "{}"
    state_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.state_at = self.updated_at

    @property
    def name(self) -> str:
        return str(self.params["AlarmName"])


_alarms: dict[str, Alarm] = {}
_history: list[dict[str, Any]] = []


def clear() -> None:
    """Forget all."""
    _alarms.clear()
    _history.clear()


def seed() -> None:
    """The alarms that nova.toml names: the runbook's five minutes are fifteen seconds here."""
    _seeded("nova-api-high-cpu", "AWS/ECS", "CPUUtilization", 80.0, ClusterName="nova", ServiceName="nova-api")
    dimensions = {"ServiceName": "nova-event-processor"}
    _seeded("nova-events-blocks-behind", "Nova/EventProcessor", "blocks_behind", 100.0, **dimensions)


def _seeded(name: str, namespace: str, metric: str, threshold: float, **dimensions: str) -> None:
    put_metric_alarm(
        {
            "AlarmName": name,
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            "Statistic": "Average",
            "Period": 5,
            "EvaluationPeriods": 3,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "missing",
            "AlarmActions": [notifications.TOPIC],
            "OKActions": [notifications.TOPIC],
        }
    )


def put_metric_alarm(params: Params) -> dict[str, Any]:
    """cloudwatch:PutMetricAlarm."""
    if params.get("ComparisonOperator") not in COMPARISONS:
        raise AwsError("ValidationError", "ComparisonOperator is not supported here.")
    before = _alarms.get(params["AlarmName"])
    alarm = Alarm(params, world.now())
    if before:
        alarm.state, alarm.reason, alarm.state_at = before.state, before.reason, before.state_at
    _alarms[alarm.name] = alarm
    return {}


def delete_alarms(params: Params) -> dict[str, Any]:
    """cloudwatch:DeleteAlarms."""
    if unknown := [name for name in params["AlarmNames"] if name not in _alarms]:
        raise AwsError("ResourceNotFound", f"Alarms not found: {', '.join(unknown)}", 404)
    for name in params["AlarmNames"]:
        del _alarms[name]
    return {}


def describe_alarms(params: Params) -> dict[str, Any]:
    """cloudwatch:DescribeAlarms."""
    names, prefix, state = params.get("AlarmNames"), params.get("AlarmNamePrefix") or "", params.get("StateValue")
    chosen = [
        alarm for alarm in _alarms.values() if (not names or alarm.name in names) and alarm.name.startswith(prefix)
    ]
    return {"MetricAlarms": [_shown(alarm) for alarm in chosen if state in (None, alarm.state)], "CompositeAlarms": []}


def _shown(alarm: Alarm) -> dict[str, Any]:
    asked = {key: value for key, value in alarm.params.items() if key != "Tags"}
    return {
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "Dimensions": [],
        **asked,
        "AlarmArn": arn("cloudwatch", f"alarm:{alarm.name}"),
        "AlarmConfigurationUpdatedTimestamp": alarm.updated_at,
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateReasonData": alarm.reason_data,
        "StateUpdatedTimestamp": alarm.state_at,
        "StateTransitionedTimestamp": alarm.state_at,
    }


def set_alarm_state(params: Params) -> dict[str, Any]:
    """cloudwatch:SetAlarmState: holds until the next evaluation."""
    alarm = _alarms.get(params["AlarmName"])
    if alarm is None:
        raise AwsError("ResourceNotFound", "Alarm not found", 404)
    _change(alarm, params["StateValue"], params["StateReason"], params.get("StateReasonData") or "{}")
    return {}


def describe_alarm_history(params: Params) -> dict[str, Any]:
    """cloudwatch:DescribeAlarmHistory, newest first."""
    name = params.get("AlarmName")
    return {"AlarmHistoryItems": [item for item in _history if name in (None, item["AlarmName"])]}


def evaluate() -> None:
    """Compare every alarm's metric with its threshold and change its state where it is due."""
    for alarm in _alarms.values():
        state, reason, data = _verdict(alarm)
        if state != alarm.state:
            _change(alarm, state, reason, json.dumps(data))


def _verdict(alarm: Alarm) -> tuple[str, str, dict[str, Any]]:
    params = alarm.params
    periods, period_s = params["EvaluationPeriods"], params["Period"]
    values = _recent(alarm, periods, period_s)
    if not values:
        missing = {"breaching": "ALARM", "notBreaching": "OK", "ignore": alarm.state}
        state = missing.get(params.get("TreatMissingData") or "missing", "INSUFFICIENT_DATA")
        return state, "Insufficient Data: no datapoints were received", {}
    breaches = [value for value in values if COMPARISONS[params["ComparisonOperator"]](value, params["Threshold"])]
    breaching = len(breaches) >= (params.get("DatapointsToAlarm") or periods)
    data = {"recentDatapoints": values, "threshold": params["Threshold"], "period": period_s}
    counted = f"{len(breaches)} of the last {len(values)} datapoints passed the threshold ({params['Threshold']})"
    return "ALARM" if breaching else "OK", f"Threshold {'Crossed' if breaching else 'not crossed'}: {counted}.", data


def _recent(alarm: Alarm, periods: int, period_s: int) -> list[float]:
    params = alarm.params
    dimensions = frozenset((one["Name"], one["Value"]) for one in params.get("Dimensions") or [])
    key: Key = (params["Namespace"], params["MetricName"], dimensions)
    series = metrics.find(key)
    compute = statistic(params.get("ExtendedStatistic") or params["Statistic"])
    if series is None or compute is None:
        return []
    end = world.now().timestamp()
    # Two more periods are looked at, as the newest data is late (FACTS E).
    start = (end // period_s - periods - 1) * period_s
    values = [compute(one) for _, one in series.periods(start, end, period_s)]
    return [value for value in values if value is not None][-periods:]


def _change(alarm: Alarm, state: str, reason: str, data: str) -> None:
    item = {
        "AlarmName": alarm.name,
        "AlarmType": "MetricAlarm",
        "Timestamp": world.now(),
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {alarm.state} to {state}",
        "HistoryData": data,
    }
    _history.insert(0, item)
    del _history[HISTORY_KEPT:]
    before = alarm.state
    alarm.state, alarm.reason, alarm.reason_data, alarm.state_at = state, reason, data, world.now()
    _tell(alarm, before)


MEASURED = ("MetricName", "Namespace", "Statistic", "Period", "EvaluationPeriods", "ComparisonOperator", "Threshold")
ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def _tell(alarm: Alarm, before: str) -> None:
    """Tell the topics of the alarm's new state, in the words of CloudWatch."""
    params = alarm.params
    targets = (params.get(ACTIONS[alarm.state]) or []) if params.get("ActionsEnabled", True) else []
    if not targets:
        return
    dimensions = [{"name": one["Name"], "value": one["Value"]} for one in params.get("Dimensions") or []]
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": params.get("AlarmDescription"),
        "AWSAccountId": ACCOUNT,
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": alarm.state_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000",
        "Region": "EU (Ireland)",
        "AlarmArn": arn("cloudwatch", f"alarm:{alarm.name}"),
        "OldStateValue": before,
        "Trigger": {**{name: params.get(name) for name in MEASURED}, "Dimensions": dimensions},
    }
    for target in targets:
        notifications.publish(target, f'{alarm.state}: "{alarm.name}" in EU (Ireland)', message)
