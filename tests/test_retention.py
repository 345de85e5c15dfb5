"""Retention: what grows is forgotten in time, what is evidence stays, and no model is forgotten about."""

import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.utils import timezone

from dashboard import tasks
from dashboard.models import Pulse, Round
from incidents.models import Once
from novaops import retention
from novaops.outbox.models import Message
from novaops.runbook.models import Plan, Run

pytestmark = pytest.mark.django_db

# Evidence, what people decided, and what has a row for each thing that nova.toml or AWS names.
STAYS = {
    "access": {"Grant", "Token"},
    "audit": {"Entry"},
    "backups": {"Beside", "Database", "Lease", "Restore"},
    "dashboard": {"Alert", "Deployment", "Latest", "Lease", "Maintenance", "Reading", "Series", "Silence",
                  "Subscription", "Threshold", "Witness"},
    "incidents": {"ChecklistItem", "ChecklistStep", "Draft", "Drill", "Elsewhere", "FollowUp", "Incident", "Link",
                  "Postmortem", "PostmortemVersion", "Review", "Role", "SlackPerson", "TimelineEntry", "Waiver",
                  "Words"},
    "runbook": {"Approval", "Call", "Freeze", "Run", "Step", "Undo"},
}  # fmt: skip
# Dropped by partitions, and as the rollups take them up.
PARTITIONED = {"dashboard": {"Sample", "FiveMinutes", "Hour", "Unrolled"}}


def test_every_model_says_how_long_its_rows_are_kept_or_stays():
    for app in ("access", "audit", "backups", "dashboard", "incidents", "outbox", "runbook"):
        growing = {model.__name__ for model in retention.growing() if model._meta.app_label == app}
        models = {model.__name__ for model in apps.get_app_config(app).get_models()}
        assert models == growing | STAYS.get(app, set()) | PARTITIONED.get(app, set()), app


def test_what_is_old_is_forgotten_and_what_is_new_is_not():
    now = timezone.now()
    for age in (timedelta(days=31), timedelta(days=29)):
        Once.objects.create(key=f"slack:{age}", digest="x", ref=0, at=now - age)
        Session.objects.create(session_key=f"s{age.days}", session_data="", expire_date=now + timedelta(days=30) - age)
    for age in (timedelta(days=3), timedelta()):
        Round.objects.create(environment="x", started_at=now - age, finished_at=now - age, sources=0, samples=0)
    for name in ("beat", "worker:gone"):
        Pulse.objects.create(name=name, at=now - timedelta(days=2))
    tasks.forget_old()
    assert Once.objects.get().at == now - timedelta(days=29)
    assert Session.objects.get().session_key == "s29"
    assert Round.objects.get().started_at == now
    assert Pulse.objects.get().name == "beat"


def test_messages_of_incidents_and_those_still_to_be_sent_stay():
    now = timezone.now()
    for state, incident in (("sent", None), ("sent", 7), ("queued", None)):
        made = Message.objects.create(
            environment="x", kind="slack", operation="post", address="c", subject="s", state=state, incident=incident,
            idempotency_key=uuid.uuid4(), expires_at=now,
        )  # fmt: skip
        Message.objects.filter(pk=made.pk).update(created_at=now - timedelta(days=400))
    tasks.forget_old()
    assert set(Message.objects.values_list("state", "incident")) == {("sent", 7), ("queued", None)}


def test_a_preview_is_forgotten_unless_a_run_came_of_it(responder):
    now = timezone.now()
    shared = {"action": "restart-api", "environment": "sandbox", "service": "api", "target": "nova-api"}
    plans = [Plan.objects.create(**shared, requested_by=responder, state=Plan.State.READY) for _ in range(2)]
    Run.objects.create(
        **shared, plan=plans[0], title="x", risk="safe", reason="x", idempotency_key="k", request_hash="x",
        requested_by=responder, next_at=now, code_version="x", status="succeeded",
    )  # fmt: skip
    Plan.objects.update(created_at=now - timedelta(days=31))
    tasks.forget_old()
    assert Plan.objects.get() == plans[0]


def test_what_there_is_no_time_for_is_forgotten_at_the_next_call(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    long_ago = timezone.now() - timedelta(days=31)
    for number in range(5):
        Once.objects.create(key=str(number), digest="x", ref=0, at=long_ago)
    retention.forget_old(timezone.now(), longest_s=0)
    assert Once.objects.count() == 3
    retention.forget_old(timezone.now())
    assert not Once.objects.exists()
