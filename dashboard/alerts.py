"""Whether a rule's condition holds, judged from samples alone, and the thin writer that keeps alerts in step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from dashboard import witnesses
from dashboard.models import Alert, AlertState, Witness
from dashboard.samples import Key, Value
from dashboard.services.base import Rule, Series
from dashboard.signals import alert_fired, alert_reopened
from dashboard.witnesses import dedup_key as named
from novaops.environment import Environment
from novaops.words import Amount

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

    @classmethod
    def of(cls, series: Series, environment: Environment) -> "Timing":
        """How the samples of a series come in an environment."""
        covers_s = series.covers_s(environment)
        return cls(
            step_s=covers_s or environment.collect_every_s,
            covers_s=covers_s,
            interval_s=series.interval_s(environment),
        )


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


@dataclass(kw_only=True)
class Course:
    """Follows samples, oldest first: since when all of them are beyond the threshold, and since when all are back.

    A gap begins both anew.
    """

    rule: Rule
    timing: Timing
    newest: Value | None = None
    beyond_since: datetime | None = None
    back_since: datetime | None = None

    def follow(self, point: Value) -> None:
        """Go on to the next sample."""
        gap = self.newest and (point.at - self.newest.at).total_seconds() > GAP_STEPS * self.timing.step_s
        beyond_since, back_since = (None, None) if gap else (self.beyond_since, self.back_since)
        self.beyond_since = (beyond_since or point.at) if self.rule.beyond(point.value) else None
        self.back_since = (back_since or point.at) if self.rule.back(point.value) else None
        self.newest = point

    def judged(self, *, firing: bool) -> Judged:
        """What the samples until the newest say."""
        if self.newest is None:
            return Judged(holds=Holds.UNKNOWN)
        value = self.newest.value
        if firing:
            over = self._lasted(self.back_since, self.rule.calm_s)
            return Judged(holds=Holds.CLEAR if over else Holds.FIRING, value=value)
        if self._lasted(self.beyond_since, self.rule.for_s):
            return Judged(holds=Holds.FIRING, value=value, since=self.beyond_since)
        return Judged(holds=Holds.CLEAR, value=value)

    @property
    def until(self) -> datetime | None:
        """Until when the newest sample speaks."""
        return self.newest.at + timedelta(seconds=self.timing.covers_s) if self.newest else None

    def _lasted(self, since: datetime | None, length_s: float) -> bool:
        return since is not None and self.until is not None and (self.until - since).total_seconds() >= length_s


def evaluate(points: Sequence[Value], rule: Rule, timing: Timing, now: datetime, *, firing: bool) -> Judged:
    """Judge a rule by its samples, oldest first.

    It begins to fire when every sample of the last `for_s` was beyond the threshold, and ends when every sample of the
    last `calm_s` was back. A gap interrupts both, and without a fresh sample nothing is known.
    """
    course = Course(rule=rule, timing=timing)
    for point in points:
        course.follow(point)
    if course.until is None or now - course.until > timedelta(seconds=FRESH_INTERVALS * timing.interval_s):
        return Judged(holds=Holds.UNKNOWN)
    return course.judged(firing=firing)


@dataclass(frozen=True, kw_only=True)
class Firing:
    """One alert that a rule would have made of past samples; `cleared_at` is None where it would still fire."""

    started_at: datetime
    fired_at: datetime
    cleared_at: datetime | None = None
    flaps: int = 0


def replay(points: Sequence[Value], rule: Rule, timing: Timing) -> list[Firing]:
    """The alerts that the rule would have made of these samples, oldest first, had each been judged as it came."""
    course, found = Course(rule=rule, timing=timing), list[Firing]()
    for point in points:
        course.follow(point)
        at = course.until or point.at
        firing = bool(found) and found[-1].cleared_at is None
        judged = course.judged(firing=firing)
        if firing and judged.holds == Holds.CLEAR:
            found[-1] = replace(found[-1], cleared_at=at)
        elif not firing and judged.holds == Holds.FIRING:
            _refire(found, judged.since or at, at, rule)
    return found


def _refire(found: list[Firing], since: datetime, at: datetime, rule: Rule) -> None:
    cleared_at = found[-1].cleared_at if found else None
    if cleared_at and at - cleared_at <= timedelta(seconds=rule.flap_s):
        found[-1] = replace(found[-1], cleared_at=None, flaps=found[-1].flaps + 1)
    else:
        found.append(Firing(started_at=since, fired_at=at))


def dedup_key(environment: str, key: Key, rule: str) -> str:
    """What makes two firings the same alert."""
    return named(environment, key.service, rule, key.resource)


def update(environment: str, watched: Iterable[Watched], now: datetime) -> None:
    """Bring the environment's alerts in step with its samples. Must run inside the transaction that wrote them."""
    witnesses.hold(environment)
    firing = {alert.dedup_key: alert for alert in _own(environment)}
    for one in watched:
        _judge(environment, one, firing.pop(dedup_key(environment, one.key, one.rule.key), None), now)
    for alert in firing.values():
        # Its rule or node is gone, so nothing could ever clear it.
        _clear(alert, now)


def update_one(environment: str, one: Watched, now: datetime) -> None:
    """Bring the alert of one rule in step with its samples, and leave the others alone."""
    witnesses.hold(environment)
    firing = {alert.dedup_key: alert for alert in _own(environment)}
    _judge(environment, one, firing.get(dedup_key(environment, one.key, one.rule.key)), now)


def _judge(environment: str, one: Watched, alert: Alert | None, now: datetime) -> None:
    judged = evaluate(one.points, one.rule, one.timing, now, firing=alert is not None)
    if alert is None and judged.holds == Holds.FIRING:
        _fire(environment, one, judged, dedup_key(environment, one.key, one.rule.key), now)
    elif alert is not None and judged.value is not None:
        _carry_on(alert, one, judged, now)


def _own(environment: str) -> list[Alert]:
    """The firing alerts that our own rules are witnesses of; what only others tell of is theirs to end."""
    firing = Alert.objects.filter(environment=environment, state=AlertState.FIRING).prefetch_related("witnesses")
    return [alert for alert in firing if _is_own(alert)]


def _is_own(alert: Alert) -> bool:
    told = [(one.source, one.ended_at) for one in alert.witnesses.all()]
    return not told or (Witness.Source.RULE, None) in told


def _fire(environment: str, one: Watched, judged: Judged, name: str, now: datetime) -> None:
    value, since = judged.value or 0.0, judged.since or now
    standing = witnesses.firing(environment, one.rule.key, one.key.resource)
    flapping = None if standing else _just_cleared(one.rule, name, now)
    alert = standing or flapping
    alert = alert or Alert(environment=environment, rule=one.rule.key, started_at=since, fired_at=now, source="NovaOps")
    alert.service, alert.resource, alert.dedup_key = one.key.service, one.key.resource, name
    alert.title, alert.severity, alert.sentence = one.rule.title, one.rule.severity, sentence(one, value)
    alert.value, alert.threshold = value, one.rule.threshold
    if flapping:
        alert.state, alert.cleared_at, alert.reopened_at, alert.flaps = AlertState.FIRING, None, now, alert.flaps + 1
    alert.save()
    witnesses.witness(alert, Witness.Source.RULE, one.rule.key, alert.sentence, since)
    if flapping:
        alert_reopened.send(sender=Alert, alert=alert)
    elif not standing:
        alert_fired.send(sender=Alert, alert=alert)


def _just_cleared(rule: Rule, name: str, now: datetime) -> Alert | None:
    """The alert of that name which cleared so lately that a new firing is the same trouble."""
    lately = now - timedelta(seconds=rule.flap_s)
    return Alert.objects.filter(dedup_key=name, state=AlertState.CLEARED, cleared_at__gte=lately).first()


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
    said = one.rule.says.format(value=Amount(value), threshold=Amount(one.rule.threshold))
    return f"{said} ({one.key.resource})" if one.key.resource else said
