"""The API keeps its own OpenAPI document, whatever schemathesis makes up."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import override_settings
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from incidents import documents, telling
from incidents import incident as decide
from incidents.models import ChecklistItem, FollowUp, Incident, Role, TimelineEntry
from novaops.access import tokens
from novaops.access.models import Scope
from novaops.outbox.models import Message
from novaops.runbook import intake
from tests.incidents.conftest import declare, make_alert, place

__all__ = ["declare", "make_alert", "place"]
# Nothing can be wrong in a request that has no parameter.
TAKES_NOTHING = {"GET /api/v1/health"}
once = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def _one_connection(db: None) -> Iterator[None]:
    """Requests use the test's own transaction, as those of Django's test client do."""
    edges = (request_started, request_finished)
    for edge in edges:
        edge.disconnect(close_old_connections)
    yield
    for edge in edges:
        edge.connect(close_old_connections)


@pytest.fixture
def schema(
    _one_connection: None, commander: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[schemathesis.BaseSchema]:
    """The API over WSGI as a commander's token with every scope sees it; no worker is there to be waited for."""
    from novaops.wsgi import application

    monkeypatch.setattr(intake, "RESOLVE_WITHIN_S", 0.0)
    _, text = tokens.create(commander, name="schemathesis", scopes=Scope.values, days=1, by=commander)
    headers = {"Authorization": f"Bearer {text}"}
    with override_settings(API_REQUESTS_A_MINUTE=100_000, POSTMORTEM_ROOT=tmp_path):
        loaded = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application, headers=headers)
        loaded.config.update(headers=headers)
        # A form's own rules (a target that is declared, a number within bounds) go beyond what a schema says.
        accepting = loaded.config.checks.positive_data_acceptance
        accepting.expected_statuses = [*accepting.expected_statuses, "422"]
        # It takes the token that every request carries here for one that it made up; test_access proves the rest.
        loaded.config.checks.ignored_auth.enabled = False
        yield loaded


@pytest.mark.django_db
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_schemathesis_finds_nothing(
    schema: schemathesis.BaseSchema, mode: GenerationMode, declare: Callable[..., Incident], commander: User
) -> None:
    there = _there(declare(commander), commander)
    tried = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and operation.label in TAKES_NOTHING:
            continue

        @settings(once, max_examples=_examples(operation, mode))
        @given(case=operation.as_strategy(generation_mode=mode))
        def explore(case: schemathesis.Case) -> None:
            tried.add(case.operation.label)
            if mode is GenerationMode.POSITIVE:
                _meet(case, there)
            case.call_and_validate()

        explore()
    assert len(tried) >= 50


def _examples(operation: schemathesis.APIOperation, mode: GenerationMode) -> int:
    """The first one is always the simplest: valid requests that have more to vary than their path get another."""
    varies = operation.method != "get" or len(operation.query) > 0
    return 2 if mode is GenerationMode.POSITIVE and varies else 1


def _there(incident: Incident, by: User) -> dict[str, Any]:
    """What a path may name, each of it there."""
    decide.set_role(incident.number, "scribe", by, by=by)
    work = FollowUp(title="Scale earlier")
    decide.add_follow_up(incident.number, work, by=by)
    telling.tell(incident.number, telling.Said(slack="We are on it"), by=by, key="a")
    documents.ensure(incident.number, by=by, base_url="https://ops.example")
    return {
        "number": incident.number,
        "entry_id": TimelineEntry.objects.earliest("pk").pk,
        "item_id": ChecklistItem.objects.earliest("pk").pk,
        "role_id": Role.objects.get().pk,
        "message_id": Message.objects.get().pk,
        "follow_up_id": work.pk,
        "version": 1,
        "key": "summary-story",
    }


def _meet(case: schemathesis.Case, there: dict[str, Any]) -> None:
    """Let a valid request be about what is there, and the first one with its key."""
    case.path_parameters.update({name: there[name] for name in case.path_parameters.keys() & there.keys()})
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = uuid4().hex
    if isinstance(case.body, dict) and "version" in case.body:
        case.body["version"] = there["version"]
