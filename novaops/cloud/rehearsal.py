"""The control address of a simulated Nova, for drills: which scenarios there are, and playing one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from novaops.cloud import http
from novaops.cloud.errors import Ambiguous, Refused

WHO = "The simulated Nova"
LOCAL = ("localhost", "127.0.0.1", "::1")
HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Something that can go wrong."""

    name: str
    title: str


def is_simulated(base: str) -> bool:
    """Whether this process reaches AWS only through the simulated Nova at `base`, so that nothing real is in reach."""
    aws = os.environ.get("AWS_ENDPOINT_URL", "")
    return bool(base and aws) and urlsplit(aws).netloc == urlsplit(base).netloc


def elsewhere(base: str, addresses: Mapping[str, str]) -> list[str]:
    """Which of these systems, by their names, are not the simulated Nova's: HTTP by address, the others by machine."""
    return [name for name, address in addresses.items() if address and not _belongs(base, address)]


def _belongs(base: str, address: str) -> bool:
    parts, ours = urlsplit(address), urlsplit(base)
    if parts.scheme in ("http", "https"):
        return parts.netloc == ours.netloc
    # A connection may name further machines among its parameters.
    given = parse_qs(parts.query)
    named = [unquote(parts.hostname or "") or None, *given.get("host", []), *given.get("hostaddr", [])]
    return bool(parts.scheme) and all(_is_here(host, ours.hostname) for host in named)


def _is_here(host: str | None, ours: str | None) -> bool:
    return host is None or host in (ours, *LOCAL) or host.startswith("/")


def scenarios(base: str) -> list[Scenario]:
    """What can be played. Raises an OutsideError."""
    state = _ask("GET", f"{base}/state")
    return [Scenario(name=one["name"], title=one["title"]) for one in state["scenarios"] if one["name"] != "calm"]


def play(base: str, name: str) -> None:
    """Let it begin; `calm` ends what plays. Raises an OutsideError."""
    _ask("POST", f"{base}/scenario", {"name": name})


def _ask(method: str, url: str, body: Any = None) -> Any:
    answer = http.request(WHO, method, url, headers=HEADERS, body=body)
    if answer.status >= 500 or answer.body is None:
        raise Ambiguous(f"{WHO} answered {answer.status}")
    if answer.status >= 400:
        raise Refused(str(answer.body.get("error", f"{WHO} answered {answer.status}")))
    return answer.body
