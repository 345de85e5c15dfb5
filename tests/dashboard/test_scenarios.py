"""Each trouble of the runbook, end to end: its rule fires in time, its remedy is first, and the alert clears by it."""

import html
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard import collect, overview
from dashboard.models import Alert
from dashboard.services.base import services
from dashboard.status import State
from novaops import environment as declared
from novaops.environment import Environment, RuleChange
from novaops.runbook.models import Run
from tests.actions.conftest import follows, plan_of, run_through
from tests.servers import Nova

__all__ = ["plan_of", "run_through"]
pytestmark = [pytest.mark.django_db, pytest.mark.long(9)]

FOR_S = 2
WITHIN_S = 40
# Once for each sample: more rounds see nothing more.
ROUND_EVERY_S = 0.5


@dataclass(frozen=True)
class Trouble:
    """A scenario, the rule that must fire, and the action that must be offered first, with its parameters."""

    scenario: str
    rule: str
    remedy: str
    params: dict[str, Any] = field(default_factory=dict)


TROUBLES = (
    Trouble("high-cpu", "high-cpu", "scale-api", {"count": 6}),
    Trouble("connection-exhaustion", "connection-exhaustion", "restart-api"),
    Trouble("redis-evictions", "redis-evictions", "set-redis-maxmemory-policy", {"policy": "allkeys-lru"}),
    Trouble("event-lag", "event-lag", "restart-event-processor"),
    Trouble("rpc-down", "rpc-unhealthy", "switch-rpc", {"to": "backup"}),
    Trouble("missed-ledgers", "missed-ledgers", "replay-events"),
    Trouble("bad-deploy", "error-rate", "roll-back-api"),
)


@pytest.fixture
def environment() -> Environment:
    """The sandbox with rules that last two seconds, over metrics of each second."""
    rules = [rule.key for service in services.values() for rule in service.rules]
    changes = {key: RuleChange(for_s=FOR_S) for key in rules}
    return declared.default().model_copy(update={"collect_every_s": 4, "metric_period_s": 1, "rules": changes})


@pytest.fixture
def quick(sandbox: Nova) -> Nova:
    """A world a hundred times as fast as the real one that measures itself twice a second."""
    sandbox.reset(factor=100, sample_s=0.5, processes=True)
    follows()
    return sandbox


class Watch:
    """A collector that goes round and round, and what it has seen of one rule."""

    def __init__(self, environment: Environment, rule: str) -> None:
        self.environment, self.rule = environment, rule

    def until(self, holds: Callable[[Alert], bool]) -> Alert:
        """Collect until the newest alert of the rule is so."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            done = collect.collect(self.environment, early=True)
            alert = Alert.objects.filter(rule=self.rule).first()
            if alert and holds(alert):
                return alert
            assert time.monotonic() < deadline, (alert, done and done.failed, list(Alert.objects.all()))
            time.sleep(ROUND_EVERY_S)

    def fires(self) -> Alert:
        return self.until(lambda alert: alert.state == "firing")

    def clears(self) -> Alert:
        return self.until(lambda alert: alert.state == "cleared")


def interval_s(environment: Environment, alert: Alert) -> float:
    rule = services[alert.service].every_rule()[alert.rule]
    series = next(one for one in services[alert.service].series_in(environment) if one.name == rule.series)
    return series.interval_s(environment)


def declared_time(environment: Environment, alert: Alert) -> bool:
    """Whether it fired when its duration was over, and at most an interval and two seconds later."""
    took_s = (alert.fired_at - alert.started_at).total_seconds()
    return FOR_S <= took_s <= FOR_S + interval_s(environment, alert) + 2


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.scenario)
def test_its_rule_fires_in_time_its_remedy_is_first_and_ends_it(
    quick: Nova,
    environment: Environment,
    run_through: Callable[..., Run],
    commander: User,
    client_of: Callable[[User], Client],
    trouble: Trouble,
):
    watch, open_page = Watch(environment, trouble.rule), client_of(commander)
    quick.scenario(trouble.scenario)
    alert = watch.fires()
    assert alert.sentence in html.unescape(open_page.get("/fragments/overview").content.decode())
    assert declared_time(environment, alert), (alert.started_at, alert.fired_at)
    shown = overview.build(environment, commander)
    assert [offer.action_key for offer in shown.offers][:1] == [trouble.remedy]
    assert next(tile for tile in shown.tiles if tile.kind == alert.service).state in (State.CRIT, State.WARN)
    run = run_through(commander, trouble.remedy, **trouble.params)
    assert run.status == "succeeded", run.outcome
    watch.clears()


@pytest.mark.parametrize(("scenario", "rule"), [("aws-throttling", "aws-throttling"), ("aws-outage", "aws-failing")])
def test_trouble_of_aws_itself_is_a_notice_that_offers_nothing_and_ends_with_it(
    quick: Nova, environment: Environment, commander: User, scenario: str, rule: str
):
    watch = Watch(environment, rule)
    collect.collect(environment, early=True)
    quick.scenario(scenario)
    alert = watch.fires()
    shown = overview.build(environment, commander)
    assert alert in shown.notices
    assert shown.offers == []
    quick.scenario("calm")
    watch.clears()
