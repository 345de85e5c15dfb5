"""Every address of NovaOps, for every role and method: permitted as declared, never an error of ours."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from novaops.access.policy import ROLES, Verb

# What needs no role: signing in and out, machines that carry their own proof, and reports of browsers.
OPEN = ("accounts/", "api/", "healthz", "readyz", "csp-report", "hooks/")
# A machine shows its token there; what begins with the same letters is not meant.
SHOWS_A_TOKEN = "metrics"
SAMPLES = {"int": "1", "slug": "restart-api", "uuid": "4f0c1c5e-6d3a-4b7e-9a52-0d6f1b2c3d4e", "str": "api"}


def addresses(patterns: Any = None, before: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every address with sample values in place of its parts, and its view."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield filled(pattern, route), pattern.callback


def filled(pattern: URLPattern, route: str) -> str:
    for name, converter in pattern.pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        route = route.replace(f"<{kind}:{name}>", SAMPLES[kind]).replace(f"<{name}>", SAMPLES[kind])
    return route.replace(r"^audit/export\.(?P<form>csv|jsonl)$", "audit/export.csv")


GUARDED = sorted(
    {
        address: view for address, view in addresses() if not address.startswith(OPEN) and address != SHOWS_A_TOKEN
    }.items()
)
ids = [address or "overview" for address, _ in GUARDED]


def verb_of(view: Callable[..., Any]) -> Verb | None:
    return getattr(view, "required_verb", None)


@pytest.mark.parametrize(("address", "view"), GUARDED, ids=ids)
def test_every_view_names_the_permission_it_needs(address: str, view: Callable[..., Any]) -> None:
    assert verb_of(view) in set(Verb), f"{address} is open to everybody who is signed in"


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_sent_to_the_sign_in(method: str) -> None:
    client = Client()
    for address, _ in GUARDED:
        answer = getattr(client, method)(f"/{address}")
        assert (answer.status_code, "/accounts/login/" in answer.get("Location", "")) == (302, True), address


@pytest.mark.django_db
@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_role_may_exactly_what_the_view_declares(
    role: str, method: str, user_with_role: Callable[[str, str], User], client_of: Callable[[User], Client]
) -> None:
    client = client_of(user_with_role(role, "someone"))
    client.raise_request_exception = False
    for address, view in GUARDED:
        verb = verb_of(view)
        status = getattr(client, method)(f"/{address}").status_code
        assert status < 500, f"{method} {address}: {status}"
        if verb not in ROLES[role] and status != 405:
            assert status == 403, f"{role} may {method} {address}: {status}"


@pytest.mark.django_db
def test_no_change_is_made_without_the_token_against_forgery(commander: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(commander)
    for address, _ in GUARDED:
        assert client.post(f"/{address}").status_code in (403, 405), address
