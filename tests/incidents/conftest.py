"""Alerts, runs and incidents to begin with."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.models import Alert
from dashboard.signals import alert_cleared
from incidents import checklist, declaring
from incidents import incident as decide
from incidents.models import Incident
from novaops import environment as environments
from novaops.environment import Environment
from novaops.runbook.models import Plan, Run
from novaops.runbook.signals import run_finished
from tests.incidents.world import all_healthy


@pytest.fixture
def place(db: None) -> Environment:
    """The environment, all of whose services are healthy."""
    found = environments.default()
    all_healthy(found)
    return found


@pytest.fixture
def make_alert(place: Environment) -> Callable[..., Alert]:
    """Makes a firing alert: `make_alert(service="database")`."""

    def make(**changes: Any) -> Alert:
        now = timezone.now()
        service, rule = changes.pop("service", "api"), changes.pop("rule", "high-cpu")
        values: dict[str, Any] = {
            "environment": place.name,
            "service": service,
            "rule": rule,
            "title": "High CPU",
            "severity": "crit",
            "source": "NovaOps",
            "sentence": "CPU is 93 %, above 80 % for 5 min",
            "value": 93.4,
            "threshold": 80,
            "dedup_key": f"{place.name}:{service}:{rule}:",
            "started_at": now - timedelta(minutes=20),
            "fired_at": now - timedelta(minutes=15),
            **changes,
        }
        return Alert.objects.create(**values)

    return make


@pytest.fixture
def clear() -> Callable[..., None]:
    """Clears an alert as the collector does, at `at`."""

    def make(alert: Alert, at: datetime | None = None) -> None:
        alert.state, alert.cleared_at = "cleared", at or timezone.now()
        alert.save()
        alert_cleared.send(sender=Alert, alert=alert)

    return make


@pytest.fixture
def make_run(place: Environment) -> Callable[..., Run]:
    """Makes a run: `make_run(commander, status="succeeded")`."""

    def make(by: User, **changes: Any) -> Run:
        plan = Plan.objects.create(
            action="restart-api", environment=place.name, service="api", target="nova-api", requested_by=by
        )
        values: dict[str, Any] = {
            "plan": plan,
            "action": "restart-api",
            "title": "Restart the API server",
            "environment": place.name,
            "service": "api",
            "target": "nova-api",
            "risk": "disruptive",
            "reason": "CPU is high",
            "idempotency_key": f"plan:{plan.pk}",
            "request_hash": "x",
            "requested_by": by,
            "next_at": timezone.now(),
            "code_version": "1",
            **changes,
        }
        return Run.objects.create(**values)

    return make


@pytest.fixture
def declare(place: Environment, make_alert: Callable[..., Alert]) -> Callable[..., Incident]:
    """Declares an incident from a new alert: `declare(commander)`; without one: `declare(commander, alert=None)`."""

    def make(by: User | None, **changes: Any) -> Incident:
        if "alert" not in changes:
            changes["alert"] = make_alert()
        values: dict[str, Any] = {
            "environment": place,
            "title": "High CPU on the API",
            "severity": "SEV2",
            "services": ("api",),
            **changes,
        }
        if values["alert"] is None:
            values.setdefault("report", "A merchant cannot log in")
        return declaring.declare(declaring.Declaration(**values), by=by)

    return make


@pytest.fixture
def worked(
    declare: Callable[..., Incident], make_run: Callable[..., Run], clear: Callable[..., None], commander: User
) -> Incident:
    """An incident worked through up to Mitigate, ready to be resolved."""
    alert_time = timezone.now() - timedelta(minutes=5)
    incident = declare(commander)
    run = make_run(commander, status="succeeded", outcome="All tasks are new.", finished_at=timezone.now())
    run_finished.send(Run, run=run)
    checklist.complete(incident.number, "assess", by=commander)
    decide.message(incident.number, "slack", "We are on it", by=commander, url="https://slack.example/1")
    decide.message(incident.number, "status-page", "We are on it", by=commander, url="https://status.example/1")
    checklist.complete(incident.number, "communicate", by=commander)
    checklist.complete(incident.number, "mitigate", by=commander)
    clear(Alert.objects.get(), at=alert_time)
    return Incident.objects.get(pk=incident.pk)
