"""One HTTP request with JSON, made once: which part of it failed says what the failure proves."""

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from novaops.cloud.errors import Ambiguous, Fenced, NotSent

CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 8.0
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back; `body` is None where it is no JSON."""

    status: int
    body: Any
    retry_after_s: float | None


def never_fenced() -> bool:
    """The fence of a request that only looks."""
    return True


def request(
    who: str,
    method: str,
    url: str,
    *,
    headers: dict[str, str],
    body: Any = None,
    fence: Callable[[], bool] = never_fenced,
) -> Answer:
    """Make the request; neither redirects nor proxies are followed, nothing is made twice.

    `fence` is asked right before the bytes leave: Fenced where it says no. Raises NotSent where no connection was made,
    Ambiguous where the request left and no answer came. `who` names the other side in the sentences.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.netloc)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        _connect(who, connection)
        if not fence():
            raise Fenced(who)
        content = json.dumps(body).encode() if body is not None else None
        return _exchange(who, connection, method, path, content, headers)
    finally:
        connection.close()


def retry_after_s(value: str | None) -> float | None:
    """The seconds of a Retry-After header; None where it names none."""
    return float(value) if value and value.strip().isdigit() else None


def _connection(scheme: str, netloc: str) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(netloc, timeout=CONNECT_TIMEOUT_S, context=ssl.create_default_context())
    return HTTPConnection(netloc, timeout=CONNECT_TIMEOUT_S)


def _connect(who: str, connection: HTTPConnection) -> None:
    try:
        connection.connect()
    except OSError as failure:
        raise NotSent(f"{who} could not be reached", code=type(failure).__name__) from failure
    connection.sock.settimeout(ANSWER_TIMEOUT_S)


def _exchange(
    who: str, connection: HTTPConnection, method: str, path: str, content: bytes | None, headers: dict[str, str]
) -> Answer:
    kind = {"Content-Type": "application/json"} if content is not None else {}
    try:
        connection.request(method, path, body=content, headers={"Accept": "application/json", **kind, **headers})
        answer = connection.getresponse()
        raw = answer.read(MOST_BYTES)
    except (OSError, HTTPException) as failure:
        raise Ambiguous(f"{who} did not answer ({type(failure).__name__})", code=type(failure).__name__) from failure
    try:
        parsed = json.loads(raw) if raw else None
    except ValueError:
        parsed = None
    return Answer(status=answer.status, body=parsed, retry_after_s=retry_after_s(answer.getheader("Retry-After")))
