"""The API keeps its own OpenAPI document, whatever schemathesis makes up."""

from collections.abc import Iterator

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import override_settings
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from novaops.access import tokens
from novaops.access.models import Scope
from novaops.runbook import intake

EXAMPLES = 4
# Nothing can be wrong in a request that has no parameter.
TAKES_NOTHING = {"GET /api/v1/health"}
once = settings(
    max_examples=EXAMPLES,
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
    _one_connection: None, responder: User, monkeypatch: pytest.MonkeyPatch
) -> Iterator[schemathesis.BaseSchema]:
    """The API over WSGI as a token with every scope sees it; no worker is there to be waited for."""
    from novaops.wsgi import application

    monkeypatch.setattr(intake, "RESOLVE_WITHIN_S", 0.0)
    _, text = tokens.create(responder, name="schemathesis", scopes=Scope.values, days=1, by=responder)
    headers = {"Authorization": f"Bearer {text}"}
    with override_settings(API_REQUESTS_A_MINUTE=100_000):
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
def test_schemathesis_finds_nothing(schema: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    tried = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and operation.label in TAKES_NOTHING:
            continue

        @once
        @given(case=operation.as_strategy(generation_mode=mode))
        def explore(case: schemathesis.Case) -> None:
            tried.add(case.operation.label)
            case.call_and_validate()

        explore()
    assert len(tried) >= 8
