"""Services: what each declares hangs together, and what follows from its values."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import checks, metrics
from dashboard.samples import Value
from dashboard.services import containers
from dashboard.services.base import CLOUDWATCH, Asking, Rule, Service, services
from dashboard.services.events import NEVER_S
from novaops import environment as declared
from novaops.cloud import ecs
from novaops.environment import SERVICE_KINDS, Environment, RuleChange
from novaops.runbook.registry import actions
from novaops.words import Amount

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
every_service = pytest.mark.parametrize("service", services.values(), ids=lambda service: service.kind)
every_rule = pytest.mark.parametrize(
    ("service", "rule"),
    [pytest.param(service, rule, id=rule.key) for service in services.values() for rule in service.rules],
)


def test_every_declared_kind_is_watched():
    assert {kind for kind, service in services.items() if service.tile} == set(SERVICE_KINDS)


@every_rule
def test_a_rule_watches_a_series_that_exists_and_offers_actions_that_exist(service: Service, rule: Rule):
    assert rule.series in {series.name for series in service.series_in(declared.default())}
    assert set(rule.offers) <= set(actions)
    assert (rule.above is None) != (rule.below is None)
    assert rule.section
    assert rule.causes
    assert rule.says.format(value=Amount(1), threshold=Amount(2))


def test_rule_keys_are_unique():
    keys = [rule.key for service in services.values() for rule in service.rules]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("service", [services[kind] for kind in SERVICE_KINDS], ids=lambda service: service.kind)
def test_the_tile_shows_three_series_that_exist(service: Service):
    names = {series.name for series in service.series_in(declared.default())}
    assert len(service.tile) == 3
    assert {value.series for value in service.tile} | {service.spark} <= names
    assert {value.of for value in service.tile} - {""} <= names


@every_service
def test_every_metric_is_asked_for_with_all_its_dimensions(service: Service):
    environment = declared.default()
    for key, series in metrics.watched(service, environment, ["node"]).items():
        assert bool(series.metric) or not series.by
        if series.metric:
            query = metrics.query(service, environment, metrics.Wanted(key=key, declared=series, row=None))
            assert query.namespace
            assert all(value for _, value in query.dimensions)
            assert query.dimensions


def test_high_cpu_is_the_runbooks_and_offers_to_scale_first():
    rule = next(rule for rule in services["api"].rules if rule.key == "high-cpu")
    assert (rule.above, rule.for_s, rule.section) == (80, 300, "High CPU")
    assert rule.offers[:2] == ("scale-api", "restart-api")


def changed(environment: Environment, **change: float) -> Environment:
    return environment.model_copy(update={"rules": {"high-cpu": RuleChange.model_validate(change)}})


def test_an_environment_changes_thresholds_and_durations(environment: Environment):
    rules = {rule.key: rule for rule in services["api"].rules_in(changed(environment, above=60, for_s=30))}
    assert (rules["high-cpu"].threshold, rules["high-cpu"].for_s, rules["high-cpu"].calm_s) == (60, 30, 6)
    rules = {rule.key: rule for rule in services["api"].rules_in(changed(environment, below=5))}
    assert rules["high-cpu"].beyond(4)


@every_rule
@given(value=st.floats(0, 1000))
@settings(max_examples=20)
def test_with_any_threshold_a_rule_that_fires_can_also_clear(service: Service, rule: Rule, value: float):
    changed = rule.at(value, 60)
    assert (changed.threshold, changed.for_s) == (value, 60)
    assert not changed.beyond(changed.clears_at)
    assert changed.clears_at >= 0


def test_where_nova_is_not_reached_directly_nothing_is_expected_of_it(environment: Environment, monkeypatch):
    monkeypatch.delenv(environment.cache.url_env)
    monkeypatch.delenv(environment.database.dsn_env)
    assert "clients" not in {series.name for series in services["cache"].series_in(environment)}
    assert [source.name for source in services["database"].sources_in(environment)] == ["RDS", "RDS events", "API log"]


def test_an_api_on_ec2_is_watched_by_its_group(environment: Environment):
    fleet = {"autoscaling_group": "nova-api", "log_group": "/nova/api"}
    api = type(environment.api).model_validate({**environment.api.model_dump(), "kind": "ec2", "ec2": fleet})
    on_ec2 = environment.model_copy(update={"api": api})
    cpu = next(series for series in services["api"].series_in(on_ec2) if series.name == "cpu")
    assert cpu.by == ("AutoScalingGroupName",)
    assert services["api"].dimensions(on_ec2, "")["AutoScalingGroupName"] == "nova-api"
    assert [source.name for source in services["api"].sources_in(on_ec2)] == ["ALB", "Auto Scaling"]
    assert "memory" not in {series.name for series in services["api"].series_in(on_ec2)}
    assert "missing-tasks" in {rule.key for rule in services["api"].rules_in(on_ec2)}


def test_the_error_rate_counts_both_kinds_of_errors(environment: Environment):
    columns = {"requests": {NOW: 200.0}, "target_5xx": {NOW: 3.0}, "elb_5xx": {NOW: 7.0}}
    assert services["api"].derive(environment, columns, {})["error_rate"] == {NOW: 5.0}


@pytest.mark.parametrize(("requests", "refused", "rate"), [(0.0, 0.0, 0.0), (0.0, 9.0, 100.0), (4.0, 9.0, 100.0)])
def test_the_error_rate_of_little_traffic_stays_a_percentage(environment, requests, refused, rate):
    columns = {"requests": {NOW: requests}, "elb_5xx": {NOW: refused}}
    assert services["api"].derive(environment, columns, {})["error_rate"] == {NOW: rate}


def test_a_full_database_is_judged_by_the_limit_it_told_before(environment: Environment):
    before = {"connection_limit": Value(NOW - timedelta(minutes=1), 60.0)}
    found = services["database"].derive(environment, {"connections": {NOW: 57.0}}, before)
    assert found == {"connections_used": {NOW: 95.0}}
    assert services["database"].derive(environment, {"connections": {NOW: 57.0}}, {}) == {}


def test_a_caches_rates_are_per_node(environment: Environment):
    columns = {"evictions/a": {NOW: 50.0}, "hits/a": {NOW: 30.0}, "misses/a": {NOW: 10.0}}
    columns |= {"hits/b": {NOW: 0.0}, "misses/b": {NOW: 0.0}, "misses/c": {NOW: 5.0}}
    found = services["cache"].derive(environment, columns, {})
    assert found["eviction_rate/a"] == {NOW: 50.0 / environment.metric_period_s}
    assert found["miss_rate/a"] == {NOW: 25.0}
    assert found["miss_rate/b"] == {NOW: 0.0}
    assert found["miss_rate/c"] == {}


def test_evictions_count_as_needed_while_many_lookups_miss(environment: Environment):
    columns = {f"evictions/{node}": {NOW: 50.0} for node in "ab"}
    columns |= {"hits/a": {NOW: 80.0}, "misses/a": {NOW: 20.0}, "hits/b": {NOW: 95.0}, "misses/b": {NOW: 5.0}}
    found = services["cache"].derive(environment, columns, {})
    assert found["needed_evictions/a"] == found["eviction_rate/a"]
    assert found["needed_evictions/b"] == {NOW: 0.0}
    assert found["hit_rate/a"] == {NOW: 80.0}


@pytest.mark.parametrize(
    ("a_second", "days"), [(-1024.0, 10 * 2**30 / 1024 / 86400), (0.0, 365.0), (5.0, 365.0), (-1e-9, 365.0)]
)
def test_the_storage_is_full_when_it_goes_on_so(a_second: float, days: float):
    found = services["database"].project({"free_storage": {NOW: 10.0 * 2**30}}, {"free_storage": a_second})
    assert found["storage_days"] == {NOW: pytest.approx(days)}


def test_without_an_hour_of_samples_nobody_knows_when_the_storage_is_full():
    assert services["database"].project({"free_storage": {NOW: 1.0}}, {}) == {}


def test_replicas_are_watched_by_their_own_names_also_in_a_cluster(environment: Environment):
    database = environment.database.model_copy(update={"kind": "cluster", "cluster_id": "nova"})
    for place in (environment, environment.model_copy(update={"database": database})):
        found = metrics.watched(services["database"], place, services["database"].nodes({"readers": ["nova-2"]}))
        lag = next(key for key in found if key.name == "replica_lag")
        asked = metrics.query(services["database"], place, metrics.Wanted(key=lag, declared=found[lag], row=None))
        assert (lag.resource, asked.dimensions) == ("nova-2", (("DBInstanceIdentifier", "nova-2"),))


def service_told(state: str, failed_tasks: int = 0, events: tuple[str, ...] = ()) -> ecs.Service:
    deployment = ecs.Deployment(
        id="ecs-svc/1",
        status="PRIMARY",
        rollout_state=state,
        reason="",
        task_definition="nova-api:8",
        desired=2,
        running=2,
        pending=0,
        failed_tasks=failed_tasks,
        created_at=NOW,
    )
    told = tuple((NOW, f"(service nova-api) {event}.") for event in events)
    return ecs.Service(
        name="nova-api",
        status="ACTIVE",
        task_definition="nova-api:8",
        desired=2,
        running=2,
        pending=0,
        deployments=(deployment,),
        events=told,
    )


@pytest.mark.parametrize(
    ("service", "failed"),
    [
        (service_told("COMPLETED"), False),
        (service_told("FAILED"), True),
        (service_told("IN_PROGRESS", failed_tasks=2), False),
        (service_told("IN_PROGRESS", failed_tasks=3), True),
        (service_told("IN_PROGRESS", events=("deployment failed: tasks failed to start", "steady state")), True),
        (service_told("COMPLETED", events=("deployment completed", "deployment failed: x")), False),
    ],
)
def test_a_deployment_has_failed_until_another_has_completed(service: ecs.Service, failed: bool):
    assert containers.deployment_failed(service) is failed


BEFORE = NOW - timedelta(seconds=10)
EARLIER = {"rpc_ledger": Value(BEFORE, 1000.0), "cursor_ledger": Value(BEFORE, 900.0)}


def lag(environment: Environment, **columns: float) -> dict[str, float]:
    found = services["events"].derive(environment, {name: {NOW: value} for name, value in columns.items()}, EARLIER)
    return {name: column[NOW] for name, column in found.items() if column}


def test_lag_is_the_newest_ledger_minus_the_stored_cursor(environment: Environment):
    found = lag(environment, rpc_ledger=1010, rpc_oldest=10, ledger_time=5, cursor_ledger=960)
    assert (found["lag_ledgers"], found["lag_s"], found["replayable"]) == (50, 250, 950)
    assert (found["rate_in"], found["rate_out"]) == (1, 6)
    assert found["eta_s"] == 10


def test_a_lag_that_grows_never_drains(environment: Environment):
    assert lag(environment, rpc_ledger=1010, ledger_time=5, cursor_ledger=900)["eta_s"] == NEVER_S


def test_who_follows_the_ledger_has_nothing_to_drain(environment: Environment):
    assert lag(environment, rpc_ledger=1010, ledger_time=5, cursor_ledger=1008)["eta_s"] == 0


def test_a_stuck_rpc_does_not_hide_the_lag(environment: Environment):
    assert lag(environment, rpc_ledger=960, backup_ledger=1010, cursor_ledger=960)["lag_ledgers"] == 50


def test_without_any_rpc_there_is_no_lag_to_tell(environment: Environment):
    assert "lag_ledgers" not in lag(environment, cursor_ledger=960)


def test_the_lag_before_the_first_round_is_what_the_processor_told(environment: Environment):
    told = {NOW - timedelta(minutes=n): float(n) for n in (1, 2, 3)}
    columns = {"blocks_behind": told, "rpc_ledger": {NOW: 1010.0}, "cursor_ledger": {NOW: 1008.0}}
    assert services["events"].derive(environment, columns, {})["lag_ledgers"] == {**told, NOW: 2.0}
    known = {"lag_ledgers": Value(BEFORE, 2.0)}
    assert services["events"].derive(environment, columns, known)["lag_ledgers"] == {NOW: 2.0}


def test_what_cloudwatch_tells_may_be_older_than_what_is_asked_directly(environment: Environment):
    series = {series.name: series for series in services["api"].series_in(environment)}
    assert series["cpu"].source == CLOUDWATCH
    assert series["cpu"].interval_s(environment) > series["running"].interval_s(environment)


def test_a_call_that_two_services_need_is_made_once(environment: Environment):
    calls = []

    def describe(_: Environment, name: str) -> str:
        calls.append(name)
        if name == "broken":
            raise ValueError(name)
        return name

    asking = Asking(environment)
    assert [asking.once(describe, "a"), asking.once(describe, "a"), asking.once(describe, "b")] == ["a", "a", "b"]
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            asking.once(describe, "broken")
    assert calls == ["a", "b", "broken"]


def test_nova_toml_changes_only_rules_that_exist(environment: Environment, monkeypatch):
    assert checks.rules_exist() == []
    monkeypatch.setattr(declared, "environments", lambda: {"sandbox": changed_wrongly(environment)})
    (wrong,) = checks.rules_exist()
    assert "'high-cpus'" in wrong.msg
    assert "high-cpu," in str(wrong.hint)


def changed_wrongly(environment: Environment) -> Environment:
    return environment.model_copy(update={"rules": {"high-cpus": RuleChange(for_s=5)}})
