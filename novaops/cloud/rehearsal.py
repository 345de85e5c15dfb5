"""The control address of a simulated Nova, for drills: which scenarios there are, and playing one."""

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from novaops.cloud import http
from novaops.cloud.errors import Ambiguous, Refused

WHO = "The simulated Nova"
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
