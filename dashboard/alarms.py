"""Alarms of CloudWatch whose message was lost: looked up once a minute, and told as their message would have been."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet

from dashboard import witnesses
from dashboard.hooks import mapping
from dashboard.models import AlertState, Reading, Witness
from dashboard.witnesses import Notice
from novaops.cloud.cloudwatch import ALARMS_A_CALL, Alarm
from novaops.environment import Environment

LOOKED_UP_EVERY_S = 60
MOST = 3 * ALARMS_A_CALL
# So long a message has to come by itself.
PATIENCE = timedelta(minutes=2)
ALARM, OK = "ALARM", "OK"


def due(environment: Environment, before: Reading | None, now: datetime) -> list[str]:
    """The alarms to look up in this round: those that say an alert still fires, and those that nova.toml names.

    None in all rounds but the first of each minute.
    """
    if before is None or _minute(before.at) == _minute(now):
        return []
    standing = sorted({one.name for one in _standing(environment)})
    return list(dict.fromkeys([*standing, *sorted(environment.alarms)]))[:MOST]


def _minute(at: datetime) -> int:
    return int(at.timestamp() // LOOKED_UP_EVERY_S)


def reconcile(environment: Environment, told: Mapping[str, Alarm], now: datetime) -> None:
    """Let what CloudWatch says of its alarms begin and end alerts, where the message should have come long ago.

    That it does not know an alarm proves nothing: it may be one of another region.
    """
    witnesses.hold(environment.name)
    standing = {one.name: one for one in _standing(environment)}
    for alarm in told.values():
        if now - alarm.at >= PATIENCE and _is_news(environment, alarm, standing.get(alarm.name)):
            witnesses.tell(_notice(environment, alarm))


def _is_news(environment: Environment, alarm: Alarm, standing: Witness | None) -> bool:
    if standing:
        return alarm.state == OK and alarm.at > standing.since
    # What was closed since, by a person too, is closed; and an alarm whose actions are off has lost no message.
    return alarm.state == ALARM and alarm.tells and not _of(environment, alarm.name).filter(ended_at__gte=alarm.at)


def _standing(environment: Environment) -> QuerySet[Witness]:
    return _of(environment).filter(ended_at=None, alert__state=AlertState.FIRING)


def _of(environment: Environment, *names: str) -> QuerySet[Witness]:
    found = Witness.objects.filter(source=Witness.Source.CLOUDWATCH, alert__environment=environment.name)
    return found.filter(name__in=names) if names else found


def _notice(environment: Environment, alarm: Alarm) -> Notice:
    firing = alarm.state == ALARM
    said = f"{'In alarm' if firing else 'OK'} since {alarm.at:%H:%M:%S} UTC, as CloudWatch said when NovaOps asked"
    return Notice(
        environment=environment,
        source=Witness.Source.CLOUDWATCH,
        name=alarm.name,
        rule=mapping.rule_named(alarm.name, environment),
        service=mapping.service_measured(alarm.namespace, alarm.dimensions, environment),
        resource=alarm.dimensions.get("CacheClusterId", ""),
        firing=firing,
        at=alarm.at,
        sentence=f"{said}: no message told of it. {alarm.reason}".strip()[:500],
        threshold=alarm.threshold,
    )


def failure(names: Sequence[str], failed: str) -> list[str]:
    """What a round says where they could not be looked up."""
    return [f"CloudWatch alarms: {failed}"] if names and failed else []
