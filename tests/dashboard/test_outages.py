"""Whichever sources die, and when: nothing old is shown green, and no value looks younger than its source."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard import collect, metrics, overview, tiles
from dashboard.asking import Answer
from dashboard.models import Alert, Latest, Lease, Reading, Round, Sample
from dashboard.samples import Key
from dashboard.services.base import CLOUDWATCH, Observation, services
from dashboard.services.events import BACKUP, CURSOR, RPC
from dashboard.status import State
from novaops import environment as declared
from novaops.cloud.cloudwatch import Answer as MetricAnswer
from novaops.environment import SERVICE_KINDS, Environment
from tests.dashboard.conftest import FACTS

pytestmark = pytest.mark.django_db
DIFFERENCE = f"{RPC} minus cursor"


def variants() -> Iterator[Environment]:
    """The sandbox; on EC2 with a cluster; with nothing but AWS to ask and one RPC."""
    plain = declared.default()
    yield plain
    fleet = {"autoscaling_group": "nova-api", "log_group": "/nova/api"}
    api = type(plain.api).model_validate({**plain.api.model_dump(), "kind": "ec2", "ec2": fleet})
    database = plain.database.model_copy(update={"kind": "cluster", "cluster_id": "nova"})
    yield plain.model_copy(update={"api": api, "database": database, "collect_every_s": 60, "metric_period_s": 60})
    database = plain.database.model_copy(update={"dsn_env": "NOWHERE"})
    cache = plain.cache.model_copy(update={"url_env": "NOWHERE"})
    events = plain.events.model_copy(update={"rpc_backup_url": None, "contract_ids": ()})
    yield plain.model_copy(update={"database": database, "cache": cache, "events": events})


ENVIRONMENTS = tuple(variants())
# Each source of some service, by kind and name; CloudWatch is one for all.
SOURCES = sorted(
    {(kind, one.name) for place in ENVIRONMENTS for kind in SERVICE_KINDS for one in services[kind].sources_in(place)}
    | {("", CLOUDWATCH)}
)
outages = st.lists(st.sets(st.sampled_from(SOURCES)), min_size=1, max_size=4)


# What Nova's series say while all is well; the others say nought.
CALM = {
    **dict.fromkeys(("healthy_hosts", "healthy_targets", "desired", "running"), 2.0),
    **dict.fromkeys(("available", "primaries", "answers", "rpc_healthy", "backup_healthy"), 1.0),
    **dict.fromkeys(("requests", "connection_limit", "burst_balance"), 100.0),
    "free_storage": 60.0 * 2**30,
}


class Outside:
    """What stands for the outside: sources that say that all is well, or `ill` of everything, unless they are dead."""

    def __init__(self, environment: Environment, ill: float | None = None) -> None:
        self.environment, self.ill = environment, ill
        self.dead: Collection[tuple[str, str]] = ()
        self.answered: dict[tuple[str, str], datetime] = {}

    def ask(self, _environment: Environment, wanted: Any, _facts: Any, _alarms: Any, now: datetime) -> Any:
        """In place of the network: the answers by (service, source), and CloudWatch's of metrics and alarms."""
        told = {
            (kind, source.name): self._told(kind, source.name, now)
            for kind, service in services.items()
            for source in service.sources_in(self.environment)
        }
        return told, self._measured(wanted, now), Answer()

    def _told(self, kind: str, name: str, now: datetime) -> Answer[Observation]:
        if (kind, name) in self.dead:
            return Answer(failed="did not answer")
        self.answered[kind, name] = now
        found = services[kind].series_in(self.environment)
        values = {one.name: self.value(one.name) for one in found if one.source == name and not one.metric}
        facts = FACTS.get(kind, {}) if name == "ElastiCache" else {}
        return Answer(value=Observation(values=values, facts=facts))

    def _measured(self, wanted: Any, now: datetime) -> Answer[dict[Key, MetricAnswer]]:
        if ("", CLOUDWATCH) in self.dead:
            return Answer(failed="did not answer")
        self.answered["", CLOUDWATCH] = now
        period_s = self.environment.metric_period_s
        at = metrics.last_period(now, period_s) - timedelta(seconds=period_s)
        return Answer(
            value={
                key: MetricAnswer(points={at: self.value(key.name)})
                for key, one in wanted.items()
                if one.declared.metric
            }
        )

    def value(self, name: str) -> float:
        """What a series says."""
        return CALM.get(name, 0.0) if self.ill is None else self.ill

    def last(self, kind: str, source: str) -> datetime | None:
        """When the source last answered; a difference is as old as the older side."""
        if source == CLOUDWATCH:
            return self.answered.get(("", CLOUDWATCH))
        if source != DIFFERENCE:
            return self.answered.get((kind, source))
        heads = [self.answered[kind, one] for one in (RPC, BACKUP) if (kind, one) in self.answered]
        cursor = self.answered.get((kind, CURSOR))
        return min(max(heads), cursor) if heads and cursor else None


def round_at(outside: Outside, dead: Collection[tuple[str, str]], at: datetime) -> None:
    outside.dead = dead
    token = Lease.claim(outside.environment.name, 1, early=True)
    collect._round(outside.environment, token, at)
    Lease.release(outside.environment.name, token)


def check(outside: Outside, now: datetime, newest_round: datetime) -> None:
    environment = outside.environment
    shown = overview.build(environment, now=now)
    collected = now - newest_round <= timedelta(seconds=2 * environment.collect_every_s)
    for tile in shown.tiles:
        of = {series.name: series for series in services[tile.kind].series_in(environment)}
        for value, declared_value in zip(tile.values, services[tile.kind].tile, strict=True):
            series = of[declared_value.series]
            told_at = outside.last(tile.kind, series.source)
            assert value.source == series.source
            assert (value.age_s is not None) <= (told_at is not None), (tile.kind, value)
            if value.age_s is not None and told_at is not None:
                assert value.age_s >= (now - told_at).total_seconds() - 1e-3, (tile.kind, value)
                assert value.stale == (value.age_s > 2 * series.interval_s(environment))
        needed = {of[one.series] for one in services[tile.kind].tile}
        needed |= {of[rule.series] for rule in services[tile.kind].rules_in(environment) if not rule.quiet_ok}
        for series in needed if tile.state == State.OK else ():
            told_at = outside.last(tile.kind, series.source)
            assert told_at is not None, (tile.kind, series.name)
            assert now - told_at <= timedelta(seconds=2 * series.interval_s(environment)), (tile.kind, series.name)
        assert collected or tile.state != State.OK
    agreed = tiles.worst([tile.state for tile in shown.tiles])
    assert shown.verdict.state == (agreed if collected else State.UNKNOWN)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    environment=st.sampled_from(ENVIRONMENTS),
    outages=outages,
    ill=st.sampled_from([None, None, 0.0, 95.0]),
    silent_intervals=st.floats(0, 30),
)
def test_nothing_older_than_two_intervals_is_green_whichever_sources_die(
    monkeypatch: pytest.MonkeyPatch,
    environment: Environment,
    outages: list[set[tuple[str, str]]],
    ill: float | None,
    silent_intervals: float,
):
    for model in (Alert, Reading, Round, Latest, Sample):
        model.objects.all().delete()
    outside, begin = Outside(environment, ill), timezone.now()
    monkeypatch.setattr(collect, "_ask", outside.ask)
    at = begin
    for number, dead in enumerate(outages):
        at = begin + timedelta(seconds=number * environment.collect_every_s)
        round_at(outside, dead, at)
        check(outside, at, at)
    check(outside, at + timedelta(seconds=silent_intervals * environment.collect_every_s), at)


def test_a_source_that_dies_is_green_for_two_intervals_and_not_longer(monkeypatch: pytest.MonkeyPatch):
    environment = declared.default()
    outside, begin = Outside(environment), timezone.now()
    monkeypatch.setattr(collect, "_ask", outside.ask)
    states: list[State] = []
    for number in range(4):
        at = begin + timedelta(seconds=number * environment.collect_every_s)
        round_at(outside, {("api", "ALB")} if number else set(), at)
        states.append(overview.build(environment, now=at).tiles[0].state)
    assert states == [State.OK, State.OK, State.OK, State.STALE]
