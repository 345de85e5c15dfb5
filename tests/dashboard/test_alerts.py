"""Alerts: when a rule fires and when it clears, judged from samples alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import alerts
from dashboard.alerts import Holds, Timing, Watched, evaluate, replay
from dashboard.models import Alert, AlertState
from dashboard.samples import Key, Value
from dashboard.services.base import Rule
from dashboard.signals import alert_cleared, alert_fired, alert_reopened

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
RULE = Rule(
    key="high-cpu", title="High CPU", series="cpu", says="CPU is at {value:.0f} %", above=80, band=10, for_s=300
)
MINUTES = Timing(step_s=60, covers_s=60, interval_s=150)
KEY = Key("api", "cpu")


def minutes(*values: float | None) -> list[Value]:
    """One value a minute from START on; None is a lost one."""
    return [Value(START + timedelta(minutes=n), value) for n, value in enumerate(values) if value is not None]


def judge(points: list[Value], *, firing: bool = False, rule: Rule = RULE, late_s: float = 0) -> Holds:
    """Judged right when the newest minute is over, or `late_s` after that."""
    now = points[-1].at + timedelta(seconds=60 + late_s) if points else START
    return evaluate(points, rule, MINUTES, now, firing=firing).holds


def test_it_fires_when_the_last_five_minutes_were_beyond_the_threshold():
    points = minutes(50, 90, 91, 92, 93, 94)
    judged = evaluate(points, RULE, MINUTES, points[-1].at + timedelta(seconds=60), firing=False)
    assert (judged.holds, judged.since, judged.value) == (Holds.FIRING, points[1].at, 94)


def test_it_does_not_fire_a_minute_too_early():
    assert judge(minutes(50, 90, 91, 92, 93)) == Holds.CLEAR


def test_the_threshold_itself_is_not_beyond_it():
    assert judge(minutes(*[80.0] * 10)) == Holds.CLEAR


def test_a_single_lost_sample_does_not_interrupt():
    assert judge(minutes(90, 90, None, 90, 90, 90)) == Holds.FIRING


def test_it_does_not_fire_across_a_gap():
    assert judge(minutes(90, 90, 90, None, None, 90, 90)) == Holds.CLEAR


def test_it_does_not_clear_across_a_gap():
    calm_for_three = Rule(key="x", title="X", series="cpu", says="", above=80, band=10, clear_for_s=180)
    assert judge(minutes(50, 50, None, None, 50, 50), firing=True, rule=calm_for_three) == Holds.FIRING


def test_nothing_is_known_without_fresh_samples():
    assert judge([]) == Holds.UNKNOWN
    assert judge(minutes(*[99.0] * 10), late_s=301) == Holds.UNKNOWN
    assert judge(minutes(*[99.0] * 10), late_s=299) == Holds.FIRING


def test_it_clears_only_when_the_value_was_below_the_band_for_long_enough():
    assert judge(minutes(90, 75), firing=True) == Holds.FIRING
    assert judge(minutes(90, 70), firing=True) == Holds.CLEAR


def test_a_rule_below_a_threshold_is_the_mirror_image():
    rule = Rule(key="x", title="X", series="hosts", says="", below=1, for_s=60)
    assert judge(minutes(2, 0), rule=rule) == Holds.FIRING
    assert judge(minutes(0, 1), rule=rule) == Holds.CLEAR
    assert judge(minutes(0, 1), rule=rule, firing=True) == Holds.CLEAR


def test_values_of_a_moment_count_from_the_first_to_the_last():
    moments = Timing(step_s=5, covers_s=0, interval_s=5)
    rule = Rule(key="x", title="X", series="lag", says="", above=50, for_s=15)
    points = [Value(START + timedelta(seconds=5 * n), 60.0) for n in range(4)]
    assert evaluate(points[:3], rule, moments, points[2].at, firing=False).holds == Holds.CLEAR
    assert evaluate(points, rule, moments, points[3].at, firing=False).holds == Holds.FIRING


samples_with_gaps = st.lists(st.one_of(st.none(), st.floats(0, 100)), min_size=1, max_size=40)


@settings(deadline=None)
@given(samples_with_gaps)
def test_it_fires_exactly_when_the_duration_is_complete(values: list[float | None]):
    points = minutes(*values)
    if not points:
        return
    present = [minute for minute, value in enumerate(values) if value is not None]
    newest = present[-1]

    def unbroken_since(first: int) -> bool:
        told = [minute for minute in present if minute >= first]
        return all(values[minute] > 80 for minute in told) and all(b - a <= 2 for a, b in pairwise(told))

    complete = any(newest + 1 - first >= 5 and unbroken_since(first) for first in present)
    assert judge(points) == (Holds.FIRING if complete else Holds.CLEAR)


@settings(deadline=None)
@given(samples_with_gaps, st.booleans(), st.floats(0, 3600))
def test_a_gap_neither_fires_nor_clears(values: list[float | None], firing: bool, late_s: float):
    """Whatever is judged fired or cleared has an unbroken run of samples for it, and a fresh newest one."""
    points = minutes(*values)
    held = judge(points, firing=firing, late_s=late_s)
    if held == Holds.UNKNOWN or held == (Holds.FIRING if firing else Holds.CLEAR):
        return
    assert late_s <= 300
    needed_s = RULE.calm_s if firing else RULE.for_s
    recent = [point for point in points if (points[-1].at - point.at).total_seconds() < needed_s]
    assert all((RULE.back if firing else RULE.beyond)(point.value) for point in recent)
    assert all(after.at - before.at <= timedelta(seconds=150) for before, after in pairwise(recent))


@settings(deadline=None)
@given(st.lists(st.floats(70.5, 100), min_size=1, max_size=60))
def test_flapping_inside_the_band_stays_one_alert(values: list[float]):
    for newest in range(1, len(values) + 1):
        assert judge(minutes(*values[:newest]), firing=True) == Holds.FIRING


@settings(deadline=None)
@given(samples_with_gaps, st.sampled_from([0.0, 120.0, 3600.0]))
def test_a_replay_fires_and_clears_exactly_as_the_samples_would_have_when_they_came(
    values: list[float | None], flap_s: float
):
    rule = replace(RULE, for_s=120, clear_for_s=60)
    points, firing, fired, cleared = minutes(*values), False, [], []
    for number, point in enumerate(points, 1):
        now = point.at + timedelta(seconds=60)
        held = evaluate(points[:number], rule, MINUTES, now, firing=firing).holds == Holds.FIRING
        (fired if held and not firing else cleared if firing and not held else []).append(now)
        firing = held
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dashboard.services.base.FLAP_DURATIONS", flap_s / rule.for_s)
        found = replay(points, rule, MINUTES)
    merged = [at for at in fired[1:] if at - max(end for end in cleared if end <= at) <= timedelta(seconds=flap_s)]
    assert [one.fired_at for one in found] == [at for at in fired if at not in merged]
    assert sum(one.flaps for one in found) == len(merged)
    assert (found[-1].cleared_at is None if found else False) == firing


class Heard(list[str]):
    """What the signals said, in order."""

    def fired(self, alert: Alert, **_: object) -> None:
        self.append(f"fired {alert.pk}")

    def cleared(self, alert: Alert, **_: object) -> None:
        self.append(f"cleared {alert.pk}")

    def reopened(self, alert: Alert, **_: object) -> None:
        self.append(f"reopened {alert.pk}")


@pytest.fixture
def heard():
    listener = Heard()
    alert_fired.connect(listener.fired)
    alert_cleared.connect(listener.cleared)
    alert_reopened.connect(listener.reopened)
    yield listener
    alert_reopened.disconnect(listener.reopened)
    alert_fired.disconnect(listener.fired)
    alert_cleared.disconnect(listener.cleared)


def watched(*values: float | None, key: Key = KEY, rule: Rule = RULE) -> Watched:
    return Watched(key=key, rule=rule, timing=MINUTES, unit="%", points=minutes(*values))


def at_minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


@pytest.mark.django_db
def test_an_alert_says_since_when_and_how_much(heard):
    alerts.update("sandbox", [watched(50, 90, 91, 92, 93, 94)], at_minute(6))
    alert = Alert.objects.get()
    assert (alert.started_at, alert.fired_at, alert.value, alert.threshold) == (at_minute(1), at_minute(6), 94, 80)
    assert alert.sentence == "CPU is at 94 %"
    assert heard == [f"fired {alert.pk}"]


@pytest.mark.django_db
def test_flapping_is_one_alert_and_clearing_ends_it(heard):
    for last in (95, 78, 96, 72):
        alerts.update("sandbox", [watched(90, 90, 90, 90, last if last > 80 else 90, last)], at_minute(6))
    assert Alert.objects.get().state == AlertState.FIRING
    alerts.update("sandbox", [watched(90, 90, 90, 90, 90, 60)], at_minute(6))
    alert = Alert.objects.get()
    assert (alert.state, alert.cleared_at) == (AlertState.CLEARED, at_minute(6))
    assert heard == [f"fired {alert.pk}", f"cleared {alert.pk}"]


@pytest.mark.django_db
def test_an_alert_that_comes_back_soon_is_the_same_and_counts(heard):
    for minute, newest in ((6, 95), (7, 60), (8, 96), (9, 60), (10, 97)):
        alerts.update("sandbox", [watched(90, 90, 90, 90, 90, newest)], at_minute(minute))
    alert = Alert.objects.get()
    assert (alert.state, alert.flaps, alert.cleared_at) == (AlertState.FIRING, 2, None)
    assert (alert.fired_at, alert.reopened_at, alert.value) == (at_minute(6), at_minute(10), 97)
    assert heard == [f"{word} {alert.pk}" for word in ("fired", "cleared", "reopened", "cleared", "reopened")]


@pytest.mark.django_db
def test_an_alert_that_comes_back_after_the_flap_window_is_another():
    def moved(points: Watched, by_minutes: int) -> Watched:
        later = [Value(one.at + timedelta(minutes=by_minutes), one.value) for one in points.points]
        return replace(points, points=later)

    alerts.update("sandbox", [watched(*[95.0] * 6)], at_minute(6))
    alerts.update("sandbox", [watched(*[95.0] * 5, 60)], at_minute(7))
    alerts.update("sandbox", [moved(watched(*[95.0] * 6), 22)], at_minute(28))
    assert [alert.state for alert in Alert.objects.order_by("id")] == [AlertState.CLEARED, AlertState.FIRING]


@pytest.mark.django_db
def test_the_same_rule_on_two_nodes_is_two_alerts():
    nodes = [watched(*[95.0] * 6, key=Key("cache", "cpu", node)) for node in ("one", "two")]
    alerts.update("sandbox", nodes, at_minute(6))
    assert sorted(alert.sentence for alert in Alert.objects.all()) == ["CPU is at 95 % (one)", "CPU is at 95 % (two)"]


@pytest.mark.django_db
def test_silence_keeps_an_alert_as_it_is(heard):
    alerts.update("sandbox", [watched(*[95.0] * 6)], at_minute(6))
    alerts.update("sandbox", [watched(*[95.0] * 6)], at_minute(60))
    assert Alert.objects.get().state == AlertState.FIRING
    assert len(heard) == 1


@pytest.mark.django_db
def test_an_alert_whose_node_is_gone_does_not_fire_for_ever(heard):
    alerts.update("sandbox", [watched(*[95.0] * 6, key=Key("cache", "cpu", "old"))], at_minute(6))
    alerts.update("sandbox", [], at_minute(7))
    assert Alert.objects.get().state == AlertState.CLEARED


@pytest.mark.django_db
def test_another_environments_alerts_are_left_alone():
    alerts.update("production", [watched(*[95.0] * 6)], at_minute(6))
    alerts.update("sandbox", [], at_minute(7))
    assert Alert.objects.get().state == AlertState.FIRING
