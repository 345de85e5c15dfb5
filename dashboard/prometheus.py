"""What Prometheus scrapes: NovaOps' own vitals, the state of Nova, runs and alerts, read from rows at each scrape."""

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboard import overview, vitals
from dashboard.models import Alert, AlertState
from dashboard.status import State
from novaops import environment as declared
from novaops.runbook.models import Run
from novaops.runbook.states import RunStatus

SHOWN = (State.OK, State.WARN, State.CRIT, State.UNKNOWN, State.STALE, State.MAINT)


class Rows(Collector):
    """Reads the rows once a scrape."""

    def collect(self) -> Iterator[Metric]:
        found = vitals.read()
        yield from _vitals(found)
        if not any(vital.key == "database_s" and vital.state == State.CRIT for vital in found):
            yield _states()
            yield _alerts()
            yield _runs()


def text() -> bytes:
    """The exposition format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Rows())
    return generate_latest(registry)


def _vitals(found: list[vitals.Vital]) -> Iterator[Metric]:
    alive = GaugeMetricFamily("novaops_alive", "1 while this part of NovaOps works, 0 where not", labels=["part"])
    values: dict[str, GaugeMetricFamily] = {}
    for vital in found:
        if vital.state != State.UNKNOWN:
            alive.add_metric([vital.title], float(vital.state != State.CRIT))
        if vital.value is not None:
            name = f"novaops_{vital.key.removesuffix('_s')}{'_seconds' if vital.key.endswith('_s') else ''}"
            family = values.setdefault(name, GaugeMetricFamily(name, "As on the page of vitals", labels=["part"]))
            family.add_metric([vital.title], vital.value)
    yield alive
    yield from values.values()


def _states() -> Metric:
    family = GaugeMetricFamily(
        "novaops_service_state",
        "1 for the state that a service of Nova is in, 0 for the others; service `verdict` is all of Nova",
        labels=["environment", "service", "state"],
    )
    for environment in declared.environments().values():
        built = overview.build(environment)
        states = {tile.kind: tile.state for tile in built.tiles} | {"verdict": built.verdict.state}
        for kind, current in states.items():
            for state in SHOWN:
                family.add_metric([environment.name, kind, state.value], float(state == current))
    return family


def _alerts() -> Metric:
    family = GaugeMetricFamily("novaops_alerts_firing", "Alerts that fire", labels=["environment", "severity"])
    firing = Alert.objects.filter(state=AlertState.FIRING).order_by().values_list("environment", "severity")
    for environment, severity, count in firing.annotate(count=Count("pk")):
        family.add_metric([environment, severity], count)
    return family


def _runs() -> Metric:
    family = GaugeMetricFamily("novaops_runs", "Runs by status, all there are", labels=["status"])
    counts = dict(Run.objects.order_by().values_list("status").annotate(count=Count("pk")))
    for status in RunStatus:
        family.add_metric([status.value], counts.get(status.value, 0))
    return family
