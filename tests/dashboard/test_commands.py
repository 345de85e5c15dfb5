"""The command palette: finds what the user may see, says why something cannot be done, costs three queries."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from incidents.declaring import Declaration, declare
from novaops import environment as declared
from novaops.runbook import planning, requests
from novaops.runbook.registry import actions

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ClientOf = Callable[[User], Client]


def found(client: Client, query: str = "") -> dict[str, list[str]]:
    """The titles found, by kind."""
    groups = client.get("/commands", {"q": query}).context["groups"]
    return {group.title: [command.title for command in group.commands] for group in groups}


def run_of(user: User) -> Any:
    environment = declared.default()
    plan = planning.draft(actions["restart-api"](), environment, "nova-api", {}, by=user, incident=None)
    return requests.request(plan, by=user, reason="memory leak", idempotency_key="once")


def test_it_needs_a_signed_in_user_and_is_only_read(client_of: ClientOf, viewer: User) -> None:
    assert Client().get("/commands").status_code == 302
    assert client_of(viewer).post("/commands").status_code == 405


def test_without_a_query_it_shows_what_is_open_first(client_of: ClientOf, viewer: User, commander: User) -> None:
    here = declared.default()
    seen = Declaration(environment=here, title="Payments fail", severity="SEV2", services=("api",), report="A call")
    incident = declare(seen, by=commander)
    kinds = found(client_of(viewer))
    assert next(iter(kinds)) == "Open incidents"
    assert kinds["Open incidents"] == [f"INC-{incident.number} Payments fail"]
    assert kinds["Services"] == ["API server", "Database", "Redis", "Event processor"]
    assert found(client_of(viewer), "tell people inc-")["Open incidents"] == ["Communicate"]


@pytest.mark.parametrize(
    ("query", "kind", "first"),
    [
        ("audit", "Pages", "Audit"),
        ("freeze", "Pages", "Controls"),
        ("redis", "Services", "Redis"),
        ("restart api", "Actions", "Restart the API server"),
        ("fail-over-database", "Actions", None),
        ("memory leak", "Recent runs", "Restart the API server on nova-api"),
    ],
)
def test_every_word_must_be_somewhere(
    client_of: ClientOf, responder: User, query: str, kind: str, first: str | None
) -> None:
    run_of(responder)
    kinds = found(client_of(responder), query)
    assert kinds[kind]
    assert first is None or kinds[kind][0] == first
    assert found(client_of(responder), f"{query} zzz") == {}


def test_an_action_that_may_not_be_run_is_shown_with_the_reason(client_of: ClientOf, viewer: User) -> None:
    page = client_of(viewer).get("/commands", {"q": "restart api"}).content.decode()
    assert "Your role may not run disruptive actions" in page
    assert 'data-drawer="Restart the API server' not in page


def test_the_palette_gets_only_the_list(client_of: ClientOf, responder: User) -> None:
    part = client_of(responder).get("/commands", {"q": "restart <b>"}, headers=HTMX).content.decode()
    assert "<html" not in part
    assert "<b>" not in part


def test_the_list_costs_four_queries_beside_the_one_for_the_user(client_of: ClientOf, responder: User) -> None:
    run_of(responder)
    client = client_of(responder)
    client.get("/commands", headers=HTMX)
    with CaptureQueriesContext(connection) as queries:
        client.get("/commands", headers=HTMX)
    # The user, what the role may do, incidents, alerts, runs.
    assert len(queries) <= 5, [query["sql"][:100] for query in queries]


@pytest.mark.parametrize("query", ["\x00", "%", "' or 1=1 --", "x" * 5000, "\u202e"])
def test_nothing_typed_breaks_it(client_of: ClientOf, viewer: User, query: str) -> None:
    assert client_of(viewer).get("/commands", {"q": query}).status_code == (400 if "\x00" in query else 200)
