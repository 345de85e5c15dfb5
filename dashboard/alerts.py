"""Whether a rule's condition holds, judged from samples alone, and the thin writer that keeps alerts in step."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dashboard import witnesses
from dashboard.models import Alert, AlertState, Witness
from dashboard.samples import Key, Value
from dashboard.services.base import Rule
from dashboard.signals import alert_fired
from dashboard.witnesses import dedup_key as named

# Samples further apart than this many steps have a gap between them; one lost sample is none.
GAP_STEPS = 2.5
FRESH_INTERVALS = 2


class Holds(StrEnum):
    """What the samples say of a rule now."""

    FIRING = "firing"
    CLEAR = "clear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How the samples of a series come: every `step_s`, each speaking for `covers_s`, `interval_s` old at most."""

    step_s: float
    covers_s: float
    interval_s: float


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The outcome of an evaluation. `since` is when the condition began, where it newly holds."""

    holds: Holds
    value: float | None = None
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A rule on one series, with the samples it is judged by."""

    key: Key
    rule: Rule
    timing: Timing
    unit: str
    points: Sequence[Value]


def evaluate(points: Sequence[Value], rule: Rule, timing: Timing, now: datetime, *, firing: bool) -> Judged:
    """Judge a rule by its samples, oldest first.

    It begins to fire when every sample of the last `for_s` was beyond the threshold, and ends when every sample of the
    last `calm_s` was back. A gap interrupts both, and without a fresh sample nothing is known.
    """
    if not points or now - _spoken_until(points[-1], timing) > timedelta(seconds=FRESH_INTERVALS * timing.interval_s):
        return Judged(holds=Holds.UNKNOWN)
    value = points[-1].value
    if firing:
        calm = _lasting(points, rule.back, timing)
        over = calm is not None and _length_s(calm, points[-1], timing) >= rule.calm_s
        return Judged(holds=Holds.CLEAR if over else Holds.FIRING, value=value)
    since = _lasting(points, rule.beyond, timing)
    if since is None or _length_s(since, points[-1], timing) < rule.for_s:
        return Judged(holds=Holds.CLEAR, value=value)
    return Judged(holds=Holds.FIRING, value=value, since=since)


def _lasting(points: Sequence[Value], holds: Callable[[float], bool], timing: Timing) -> datetime | None:
    """Since when all samples until the newest hold without a gap; None where the newest does not."""
    since: datetime | None = None
    for point in reversed(points):
        gap = since is not None and (since - point.at).total_seconds() > GAP_STEPS * timing.step_s
        if gap or not holds(point.value):
            break
        since = point.at
    return since


def _spoken_until(point: Value, timing: Timing) -> datetime:
    return point.at + timedelta(seconds=timing.covers_s)


def _length_s(since: datetime, newest: Value, timing: Timing) -> float:
    return (_spoken_until(newest, timing) - since).total_seconds()


def dedup_key(environment: str, key: Key, rule: str) -> str:
    """What makes two firings the same alert."""
    return named(environment, key.service, rule, key.resource)


def update(environment: str, watched: Iterable[Watched], now: datetime) -> None:
    """Bring the environment's alerts in step with its samples. Must run inside the transaction that wrote them."""
    witnesses.hold(environment)
    firing = {alert.dedup_key: alert for alert in _own(environment)}
    for one in watched:
        name = dedup_key(environment, one.key, one.rule.key)
        alert = firing.pop(name, None)
        judged = evaluate(one.points, one.rule, one.timing, now, firing=alert is not None)
        if alert is None and judged.holds == Holds.FIRING:
            _fire(environment, one, judged, name, now)
        elif alert is not None and judged.value is not None:
            _carry_on(alert, one, judged, now)
    for alert in firing.values():
        # Its rule or node is gone, so nothing could ever clear it.
        _clear(alert, now)


def _own(environment: str) -> list[Alert]:
    """The firing alerts that our own rules are witnesses of; what only others tell of is theirs to end."""
    firing = Alert.objects.filter(environment=environment, state=AlertState.FIRING).prefetch_related("witnesses")
    return [alert for alert in firing if _is_own(alert)]


def _is_own(alert: Alert) -> bool:
    told = [(one.source, one.ended_at) for one in alert.witnesses.all()]
    return not told or (Witness.Source.RULE, None) in told


def _fire(environment: str, one: Watched, judged: Judged, name: str, now: datetime) -> None:
    value, since = judged.value or 0.0, judged.since or now
    said = sentence(one, value)
    alert = witnesses.firing(environment, one.rule.key, one.key.resource)
    joined = alert is not None
    alert = alert or Alert(environment=environment, rule=one.rule.key, started_at=since, fired_at=now, source="NovaOps")
    alert.service, alert.resource, alert.dedup_key = one.key.service, one.key.resource, name
    alert.title, alert.severity, alert.sentence = one.rule.title, one.rule.severity, said
    alert.value, alert.threshold = value, one.rule.threshold
    alert.save()
    witnesses.witness(alert, Witness.Source.RULE, one.rule.key, said, since)
    if not joined:
        alert_fired.send(sender=Alert, alert=alert)


def _carry_on(alert: Alert, one: Watched, judged: Judged, now: datetime) -> None:
    if judged.holds == Holds.CLEAR:
        _clear(alert, now)
    elif judged.value is not None and judged.value != alert.value and one.rule.beyond(judged.value):
        alert.value, alert.sentence = judged.value, sentence(one, judged.value)
        alert.save(update_fields=["value", "sentence"])


def _clear(alert: Alert, now: datetime) -> None:
    witnesses.end(alert, Witness.Source.RULE, alert.rule, now)


def sentence(one: Watched, value: float) -> str:
    """What the alert says; where a service has several nodes, of which."""
    said = one.rule.says.format(value=value, threshold=one.rule.threshold)
    return f"{said} ({one.key.resource})" if one.key.resource else said
