"""The overview: tiles and verdict from one snapshot, honest about what is old, missing or not collected."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import overview, tiles
from dashboard.models import Alert, AlertState, Reading, Severity
from dashboard.overview import IncidentStrip
from dashboard.services.base import services
from dashboard.status import State
from novaops import environment as declared
from novaops.environment import SERVICE_KINDS
from tests.dashboard.conftest import unsaved_reading

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SOURCES = ("CloudWatch", "ECS", "ALB", "RDS", "PostgreSQL", "ElastiCache", "Redis", "RPC", "Cursor", "Backup RPC")
ages = st.dictionaries(st.sampled_from([*SOURCES, "RPC minus cursor"]), st.floats(0, 2000))


def alert(kind: str = "api", severity: str = "crit", **more: object) -> Alert:
    defaults: dict[str, object] = {
        "environment": "sandbox",
        "service": kind,
        "rule": "high-cpu",
        "title": "High CPU",
        "severity": severity,
        "source": "NovaOps",
        "sentence": "The API server's CPU is at 96 %",
        "value": 96,
        "threshold": 80,
        "dedup_key": f"{kind}:{severity}",
        "started_at": NOW - timedelta(minutes=14),
        "fired_at": NOW - timedelta(minutes=9),
    }
    return Alert(**{**defaults, **more})


def shown(
    readings: dict[str, Reading], firing: list[Alert], now: datetime
) -> tuple[list[tiles.Tile], overview.Verdict]:
    """Tiles and verdict as the overview builds them, without a database."""
    environment = declared.default()
    as_of = max((reading.at for reading in readings.values()), default=None)
    collected = tiles.collected_lately(environment, as_of, now)
    built = overview._tiles(environment, readings, firing, now, collected=collected)
    return built, overview.judge(built, firing, as_of, collected=collected)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(SERVICE_KINDS), ages),
    st.floats(0, 300),
    st.lists(st.tuples(st.sampled_from(SERVICE_KINDS), st.sampled_from(Severity.values)), max_size=3),
)
def test_nothing_old_or_missing_is_ever_healthy_and_the_verdict_agrees_with_its_tiles(
    ages_s: dict[str, dict[str, float]], round_age_s: float, firing: list[tuple[str, str]]
):
    environment = declared.default()
    at = NOW - timedelta(seconds=round_age_s)
    readings = {kind: unsaved_reading(environment, kind, at, ages_s[kind]) for kind in ages_s}
    built, verdict = shown(readings, [alert(kind, severity) for kind, severity in firing], NOW)
    for tile in built:
        of = {series.name: series for series in services[tile.kind].series_in(environment)}
        limits = [2 * of[value.series].interval_s(environment) for value in services[tile.kind].tile]
        old = [value.age_s is None or value.age_s > limit for value, limit in zip(tile.values, limits, strict=True)]
        assert [value.stale for value in tile.values] == old
        if tile.state == State.OK:
            assert not any(old)
            assert round_age_s <= 2 * environment.collect_every_s
            assert tile.kind not in [kind for kind, _ in firing]
        else:
            assert tile.why
        if (tile.kind, "crit") in firing:
            assert tile.state == State.CRIT
    states = [tile.state for tile in built]
    if verdict.state == State.OK:
        assert set(states) == {State.OK}
    if readings and round_age_s <= 2 * environment.collect_every_s:
        assert verdict.state == tiles.worst(states)
    else:
        assert verdict.state == State.UNKNOWN
    for state in set(states):
        assert f"{states.count(state)} {state.word.lower()}" in verdict.detail


def at_age(kind: str, source: str, age_s: float) -> tiles.Tile:
    reading = unsaved_reading(declared.default(), kind, NOW, {source: age_s})
    return next(tile for tile in shown({kind: reading}, [], NOW)[0] if tile.kind == kind)


@pytest.mark.parametrize(
    ("age_s", "state"), [(10, State.OK), (10.1, State.STALE), (50, State.STALE), (50.1, State.UNKNOWN)]
)
def test_a_direct_source_is_stale_after_two_intervals_and_unknown_after_ten(age_s: float, state: State):
    assert at_age("api", "ALB", age_s).state == state


@pytest.mark.parametrize(
    ("age_s", "state"), [(25, State.OK), (25.1, State.STALE), (125, State.STALE), (125.1, State.UNKNOWN)]
)
def test_cloudwatch_is_given_the_time_that_it_needs(age_s: float, state: State):
    assert at_age("api", "CloudWatch", age_s).state == state


def test_a_value_that_only_a_rule_needs_counts_too():
    tile = at_age("events", "Backup RPC", 60)
    assert tile.state == State.UNKNOWN
    assert not any(value.stale for value in tile.values)
    assert tile.why == "Backup RPC last told backup healthy 60 s ago."


def test_a_limit_that_is_old_is_not_shown_beside_a_fresh_value():
    fresh, old = at_age("database", "PostgreSQL", 0), at_age("database", "PostgreSQL", 60)
    assert (fresh.values[0].text, old.values[0].text) == ("1 / 1", "1")


def test_all_healthy_is_one_calm_sentence():
    readings = {kind: unsaved_reading(declared.default(), kind, NOW) for kind in SERVICE_KINDS}
    _, verdict = shown(readings, [], NOW)
    assert (verdict.state, verdict.sentence, verdict.detail) == (State.OK, "All 4 services are healthy", "4 healthy")


def test_the_worst_alert_speaks_and_says_since_when():
    readings = {kind: unsaved_reading(declared.default(), kind, NOW) for kind in SERVICE_KINDS}
    _, verdict = shown(readings, [alert(), alert("cache", "warn", sentence="Redis evicts")], NOW)
    assert verdict.sentence == "The API server's CPU is at 96 %"
    assert verdict.since == NOW - timedelta(minutes=14)
    assert verdict.detail == "1 critical, 1 degraded, 2 healthy"


def test_a_dead_collector_makes_the_verdict_unknown_and_says_so():
    at = NOW - timedelta(seconds=11)
    readings = {kind: unsaved_reading(declared.default(), kind, at) for kind in SERVICE_KINDS}
    built, verdict = shown(readings, [], NOW)
    assert verdict.state == State.UNKNOWN
    assert verdict.sentence == "NovaOps itself has not collected since 02:59:49 UTC."
    assert State.OK not in {tile.state for tile in built}
    _, burning = shown(readings, [alert()], NOW)
    assert burning.sentence.endswith("Last known: The API server's CPU is at 96 %.")


def test_before_the_first_round_nothing_is_known():
    built, verdict = shown({}, [], NOW)
    assert verdict.sentence == "NovaOps has not collected anything yet"
    assert {tile.state for tile in built} == {State.UNKNOWN}
    assert {tile.why for tile in built} == {"Nothing has been collected yet."}


def test_a_sparkline_ends_in_a_gap_since_the_reading():
    reading = unsaved_reading(declared.default(), "api", NOW)
    tile = shown({"api": reading}, [], NOW + timedelta(minutes=9))[0][0]
    assert tile.spark == [1.0] * 57 + [None] * 3


@pytest.mark.parametrize(
    ("value", "unit", "digits", "written"),
    [
        (61.04 * 2**30, "B", 0, ("61.0", "GiB")),
        (45.4, "s", 0, ("45", "s")),
        (119, "s", 0, ("119", "s")),
        (840, "s", 0, ("14", "min")),
        (7200, "s", 0, ("2", "h")),
        (30 * 86400, "s", 0, ("never", "")),
        (0.04, "%", 1, ("0.0", "%")),
    ],
)
def test_values_are_written_as_people_read_them(value: float, unit: str, digits: int, written: tuple[str, str]):
    assert tiles.written(value, unit, digits) == written


@pytest.mark.django_db
def test_changes_of_the_last_hour_are_listed_the_newest_first(calm, environment):
    now = calm()
    old, recent = now - timedelta(minutes=61), now - timedelta(minutes=5)
    alert(fired_at=recent, cleared_at=now, state=AlertState.CLEARED).save()
    alert("cache", fired_at=old, cleared_at=old, state=AlertState.CLEARED).save()
    deployed = {"task_definition": "nova-api:7", "rollout_state": "IN_PROGRESS"}
    deployments = [{**deployed, "at": (now - timedelta(minutes=1)).isoformat()}, {**deployed, "at": old.isoformat()}]
    Reading.objects.filter(service="api").update(facts={"deployments": deployments})
    found = overview.build(environment, now=now).changes
    assert [(change.kind, change.text) for change in found] == [
        ("alert", "High CPU is over"),
        ("deployment", "API server: deployment of nova-api:7, in progress"),
        ("alert", "High CPU: The API server's CPU is at 96 %"),
    ]


@pytest.mark.django_db
def test_offers_are_those_of_the_firing_rules_in_their_order(calm, environment, responder):
    now = calm()
    alert(started_at=now - timedelta(minutes=2)).save()
    alert("events", rule="event-lag", started_at=now - timedelta(minutes=1)).save()
    built = overview.build(environment, responder, now)
    assert [offer.action_key for offer in built.offers] == [
        "scale-api",
        "restart-api",
        "restart-event-processor",
        "replay-events",
    ]
    assert [one.service for one in built.alerts] == ["api", "events"]


@pytest.mark.django_db
def test_nothing_is_offered_while_nothing_fires(calm, environment, responder):
    assert overview.build(environment, responder, calm()).offers == []


@pytest.mark.django_db
def test_the_open_incident_is_the_incident_apps_word(calm, environment, monkeypatch):
    strip = IncidentStrip(
        number=42, title="Slow", severity="SEV2", age=timedelta(), commander="", step="1/6 Detect", url="/incidents/42/"
    )
    monkeypatch.setattr(overview, "incident_strips", [lambda _: None, lambda _: strip])
    assert overview.build(environment, now=calm()).incident == strip


@pytest.mark.django_db
def test_another_environments_rows_do_not_show(calm, environment):
    now = calm()
    alert(environment="production").save()
    Reading.objects.update(environment="production")
    built = overview.build(environment, now=now)
    assert built.alerts == []
    assert built.as_of is None


@pytest.mark.django_db
def test_the_revision_moves_with_time_too(environment):
    from novaops import live

    live._bump(f"overview:{environment.name}")
    now = timezone.now()
    assert overview.revision(environment, now) == overview.revision(environment, now)
    assert overview.revision(environment, now) != overview.revision(environment, now + timedelta(seconds=5))
