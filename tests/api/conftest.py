"""Fixtures of the API's tests: programs with tokens, the bell to ring, and a worker that resolves plans."""

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from novaops import environment as environments
from novaops.access import tokens
from novaops.access.models import Scope
from novaops.runbook import planning
from novaops.runbook.models import Plan
from tests.runbook.conftest import bell, plan_of, run_of

__all__ = ["bell", "plan_of", "run_of"]


class Program:
    """A program that talks to the API with one token."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.client = Client(headers={"Authorization": f"Bearer {text}"})

    @property
    def token_id(self) -> str:
        return self.text.split("_")[1]

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(f"/api/v1/{path}", query)  # type: ignore[return-value]

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"/api/v1/{path}"
        if body is None:
            return self.client.post(url, content_type="application/json", headers=named)  # type: ignore[return-value]
        return self.client.post(url, body, content_type="application/json", headers=named)  # type: ignore[return-value]

    def put(self, path: str, body: Any) -> HttpResponse:
        return self.client.put(f"/api/v1/{path}", body, content_type="application/json")  # type: ignore[return-value]

    def patch(self, path: str, body: Any) -> HttpResponse:
        return self.client.patch(f"/api/v1/{path}", body, content_type="application/json")  # type: ignore[return-value]

    def made(self, path: str, body: Any = None) -> Any:
        """What a POST with a key of its own is answered with, where it was done."""
        answer = self.post(path, body, Idempotency_Key=uuid4().hex)
        assert answer.status_code in (200, 201), answer.content
        return answer.json()  # type: ignore[attr-defined]


def ring(**changes: Any) -> dict[str, Any]:
    """The body that asks for the bell to be rung."""
    environment = environments.default()
    body = {"environment": environment.name, "action": "ring", "target": environment.target("api"), "params": {}}
    return {**body, "reason": "to be heard", **changes}


def wanted(**changes: Any) -> dict[str, Any]:
    """The body that asks for a plan of it."""
    body = ring(**changes)
    return {name: value for name, value in body.items() if name != "reason"}


@pytest.fixture
def program_of() -> Callable[..., Program]:
    """Makes programs: `program_of(user, "read")`; every scope where none is named."""

    def make(owner: User, *scopes: str) -> Program:
        _, text = tokens.create(owner, name="tests", scopes=scopes or Scope.values, days=1, by=owner)
        return Program(text)

    return make


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """A worker beside the request that resolves the plans somebody waits for."""
    over = threading.Event()

    def work() -> None:
        try:
            while not over.wait(0.02):
                for plan in Plan.objects.filter(state=Plan.State.RESOLVING):
                    planning.resolve(plan)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()
