"""Who gets in, how often, and that every refusal is a problem document."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, override_settings

from novaops.access.models import Token
from novaops.audit.models import Entry
from novaops.runbook import api_document
from novaops.runbook.api import api
from novaops.runbook.models import Plan, Run
from novaops.runbook.tasks import sweep
from tests.api.conftest import Program, ring, wanted
from tests.runbook.bell import Bell

pytestmark = pytest.mark.django_db
ProgramOf = Callable[..., Program]


def problem(answer: HttpResponse, status: int, code: str) -> dict[str, object]:
    """The problem document, where the answer is one of that status and code."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), answer.content
    body = answer.json()  # type: ignore[attr-defined]
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:novaops:problem:{code}")
    assert body["detail"]
    return dict(body)


def test_nobody_gets_in_anywhere_without_a_token(responder: User, client_of: Callable[[User], Client]) -> None:
    clients = (Client(), client_of(responder), Client(headers={"Authorization": "Bearer nova_x"}))
    paths = api_document.document(api)["paths"]
    found = [(method, re.sub(r"{\w+}", "1", path)) for path, methods in paths.items() for method in methods]
    assert len(found) > 50
    for method, path in [*found, ("get", "/api/v1/openapi.json"), ("get", "/api/v1/incidents/1/postmortem.md")]:
        for client in clients:
            answer = getattr(client, method)(path, **({} if method == "get" else {"content_type": "application/json"}))
            if answer.status_code != 404:
                problem(answer, 401, "unauthenticated")
                assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_token_anywhere_else_is_no_token(program_of: ProgramOf, responder: User) -> None:
    text = program_of(responder).text
    problem(Client().get(f"/api/v1/runs?token={text}&access_token={text}"), 401, "unauthenticated")
    problem(Client(headers={"Cookie": f"token={text}"}).get("/api/v1/runs"), 401, "unauthenticated")
    problem(Client(headers={"Authorization": f"Token {text}"}).get("/api/v1/runs"), 401, "unauthenticated")


@override_settings(MIDDLEWARE=[])
def test_it_needs_no_session_at_all(program_of: ProgramOf, responder: User) -> None:
    answer = program_of(responder).get("runs")
    assert (answer.status_code, answer.cookies) == (200, {})


def test_no_csrf_cookie_is_asked_for(bell: Bell, program_of: ProgramOf, responder: User) -> None:
    program = program_of(responder)
    program.client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {program.text}"})
    problem(program.post("runs", {}), 422, "invalid")


def test_a_token_without_the_scope_is_refused(bell: Bell, program_of: ProgramOf, responder: User) -> None:
    reads, runs = program_of(responder, "read"), program_of(responder, "run:safe")
    body = problem(reads.post("runs", ring(), Idempotency_Key="a"), 403, "not-permitted")
    assert body["detail"] == "The token lacks the scope run:disruptive."
    problem(runs.post("runs", ring(), Idempotency_Key="a"), 403, "not-permitted")
    problem(runs.get("runs"), 403, "not-permitted")
    problem(runs.post("plans", wanted()), 403, "not-permitted")
    assert not Run.objects.exists()
    assert not Plan.objects.exists()


def test_a_token_is_not_stronger_than_its_owner(bell: Bell, program_of: ProgramOf, viewer: User) -> None:
    program = program_of(viewer)
    assert "Your role" in str(problem(program.post("runs", ring(), Idempotency_Key="a"), 403, "not-permitted"))
    assert program.get("runs").status_code == 200
    viewer.groups.clear()
    problem(program.get("runs"), 403, "not-permitted")
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    problem(program.get("runs"), 401, "unauthenticated")


@override_settings(API_REQUESTS_A_MINUTE=2)
def test_it_asks_a_busy_token_to_wait(program_of: ProgramOf, responder: User, commander: User) -> None:
    busy, calm = program_of(responder), program_of(commander)
    assert [busy.get("runs").status_code for _ in range(2)] == [200, 200]
    answer = busy.get("runs")
    problem(answer, 429, "too-many")
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert calm.get("runs").status_code == 200


def test_what_it_does_not_have_is_a_problem_too(program_of: ProgramOf, responder: User) -> None:
    program = program_of(responder)
    for path in ("", "nothing", "runs/1/approve", "docs"):
        problem(program.get(path), 404, "not-found")
    problem(program.get("runs/1"), 404, "not-found")
    answer = program.client.delete("/api/v1/runs")
    problem(answer, 405, "method")
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}


def test_it_takes_only_bounded_json(program_of: ProgramOf, responder: User) -> None:
    program = program_of(responder)
    post = program.client.post
    problem(post("/api/v1/plans", {"a": 1}), 415, "media-type")
    problem(post("/api/v1/plans", "x" * 70_000, content_type="application/json"), 413, "too-large")
    for body in ("{", '{"action": "ring", "action": "ring"}', '{"params": NaN}', "[" * 5000, b"\xff"):
        problem(post("/api/v1/plans", body, content_type="application/json"), 400, "not-json")


@pytest.mark.parametrize(
    "query", [{"colour": "red"}, {"limit": "0"}, {"limit": "x"}, {"status": "new"}, {"target": "a\0"}]
)
def test_a_wrong_filter_is_named(program_of: ProgramOf, responder: User, query: dict[str, str]) -> None:
    body = problem(program_of(responder).get("runs", **query), 422, "invalid")
    assert body["field"] == next(iter(query))


def test_a_filter_given_twice_is_refused(program_of: ProgramOf, responder: User) -> None:
    body = problem(program_of(responder).client.get("/api/v1/runs?action=a&action=b"), 422, "invalid")  # type: ignore[arg-type]
    assert body["field"] == "action"


def test_health_tells_the_age_of_the_last_sweep(program_of: ProgramOf, responder: User) -> None:
    program = program_of(responder)
    before = program.get("health").json()  # type: ignore[attr-defined]
    assert before == {"ready": False, "database": True, "redis": True, "worker_sweep_age_s": None}
    sweep()
    after = program.get("health").json()  # type: ignore[attr-defined]
    assert after["ready"]
    assert 0 <= after["worker_sweep_age_s"] < 10


def test_reading_leaves_one_entry_and_a_time(program_of: ProgramOf, responder: User) -> None:
    program = program_of(responder)
    for _ in range(3):
        assert program.get("audit").status_code == 200
    assert Entry.objects.filter(verb="token.first-used").count() == 1
    assert Token.objects.get().last_used_at
    assert cache.get(f"api-requests:{program.token_id}:0") is None
