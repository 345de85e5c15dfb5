"""Snapshots that an open incident's runs took or restored are claimed until it is over."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from backups import claims
from incidents.models import Incident, Link
from novaops import environment as environments
from novaops.runbook.models import Plan, Run
from tests.backups.rows import database, snapshot

pytestmark = pytest.mark.django_db


def run_of(user: User, action: str, **params: str) -> Run:
    place = environments.default()
    shared = {"action": action, "environment": place.name, "service": "database", "target": action, "params": params}
    plan = Plan.objects.create(**shared, requested_by=user, state=Plan.State.READY)
    now = timezone.now()
    ended = {"status": "succeeded", "finished_at": now, "next_at": now, "code_version": "test", "risk": "safe"}
    more = {"title": action, "reason": "x", "idempotency_key": action, "request_hash": "x", "requested_by": user}
    return Run.objects.create(plan=plan, **shared, **more, **ended)


def test_what_an_open_incident_took_and_restored_is_claimed(responder: User) -> None:
    place = environments.default()
    taken, restored = run_of(responder, "create-snapshot"), run_of(responder, "restore-snapshot", snapshot="rds:night")
    snapshot(database(), "pre-deploy-1", kind="manual", run=taken.pk)
    now = timezone.now()
    incident = Incident.objects.create(
        number=42, environment=place.name, title="x", severity="SEV2", declared_at=now, started_at=now
    )
    for run in (taken, restored):
        Link.objects.create(incident=incident, kind=Link.Kind.RUN, ref=run.pk)
    found = claims.of(place)
    assert set(found) == {"pre-deploy-1", "rds:night"}
    (claim,) = found["pre-deploy-1"]
    assert claim.sentence == f"INC-42 is open, and its run {taken.pk} works with it."
    incident.state = Incident.State.RESOLVED
    incident.resolved_at = now
    incident.save()
    assert claims.of(place) == {}
