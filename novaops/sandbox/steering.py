"""The caller's side of the sandbox's control API: scenarios, state, starting over."""

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_S = 5
State = dict[str, Any]


class SteeringError(Exception):
    """The sandbox refused or did not answer; the message is a sentence that is safe to show."""


def state(base: str) -> State:
    """What is going on, and which scenarios there are. `base` is NOVAOPS_SANDBOX_URL. Raises SteeringError."""
    return _ask(base + "/state")


def play(base: str, scenario: str) -> State:
    """Let something go wrong; `calm` ends it. Raises SteeringError."""
    return _ask(base + "/scenario", {"name": scenario})


def start_over(base: str) -> State:
    """Back to a freshly seeded, calm world. Raises SteeringError."""
    return _ask(base + "/reset", {})


def _ask(url: str, body: State | None = None) -> State:
    """A GET, or a POST of the body. It never goes through a proxy."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=TIMEOUT_S) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as failure:
        raise SteeringError(_refusal(failure)) from failure
    except (OSError, ValueError) as failure:
        raise SteeringError("The sandbox does not answer: start it with make demo.") from failure


def _refusal(failure: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(failure)["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"The sandbox answered {failure.code}."
