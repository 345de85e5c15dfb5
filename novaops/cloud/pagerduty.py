"""PagerDuty: acknowledges and resolves an incident, writes a note, and finds out whether that happened."""

import ssl
from collections.abc import Callable
from functools import cache
from typing import Any

from httpx2 import ConnectError, ConnectTimeout, PoolTimeout, Response, TransportError
from pagerduty import Error, HttpError, RestApiV2Client

from novaops.cloud.errors import Ambiguous, Fenced, NotSent, OutsideError, Refused
from novaops.cloud.http import never_fenced, retry_after_s
from novaops.declared import PagerDuty

TIMEOUT_S = 8
LONGEST_NOTE = 2000
STATES = ("acknowledged", "resolved")


class _Client(RestApiV2Client):
    """The client, which by itself takes no address on the loopback; nova.toml allows plain HTTP nowhere else."""

    @property
    def url(self) -> str:
        """The address before every path."""
        return self._base

    @url.setter
    def url(self, address: str) -> None:
        self._base = address


def set_status(pagerduty: PagerDuty, incident: str, status: str, *, fence: Callable[[], bool]) -> None:
    """Acknowledge or resolve the incident. Raises Refused, NotSent, Ambiguous or Fenced."""
    body = {"incident": {"type": "incident_reference", "status": status}}
    _ask(pagerduty, "PUT", f"/incidents/{incident}", body, fence)


def add_note(pagerduty: PagerDuty, incident: str, text: str, *, fence: Callable[[], bool]) -> str:
    """Write a note; its id. Raises as `set_status` does."""
    body = {"note": {"content": text[:LONGEST_NOTE]}}
    answer = _ask(pagerduty, "POST", f"/incidents/{incident}/notes", body, fence)
    return str(answer.get("note", {}).get("id", ""))


def status(pagerduty: PagerDuty, incident: str) -> str:
    """Where the incident stands: triggered, acknowledged or resolved. Raises an OutsideError."""
    answer = _ask(pagerduty, "GET", f"/incidents/{incident}", None, never_fenced)
    return str(answer.get("incident", {}).get("status", ""))


def find_note(pagerduty: PagerDuty, incident: str, text: str) -> str | None:
    """The id of the note with that text; None where the incident has none. Raises an OutsideError."""
    answer = _ask(pagerduty, "GET", f"/incidents/{incident}/notes", None, never_fenced)
    for note in answer.get("notes", []):
        if note.get("content") == text[:LONGEST_NOTE]:
            return str(note.get("id", ""))
    return None


def _client(pagerduty: PagerDuty) -> _Client:
    if not pagerduty.token:
        raise Refused(f"PagerDuty: {pagerduty.token_env} is not set")
    client = _Client(pagerduty.token, base_url=pagerduty.base_url, verify=_trusted())
    client.timeout = TIMEOUT_S
    # Left alone, it would connect three times more and wait for ever when throttled.
    client.max_network_attempts, client.max_http_attempts, client.retry = 0, -1, {429: 1}
    return client


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates to trust, read once: that takes longer than a request."""
    return ssl.create_default_context()


def _ask(
    pagerduty: PagerDuty, method: str, path: str, body: dict[str, Any] | None, fence: Callable[[], bool]
) -> dict[str, Any]:
    with _client(pagerduty) as client:
        if not fence():
            raise Fenced(path)
        try:
            sent = {"json": body} if body is not None else {}
            answer = client.request(method, path, headers={"From": pagerduty.from_email}, **sent)
        except Error as failure:
            if isinstance(failure, HttpError) and failure.response is not None:
                raise _from_answer(failure.response) from failure
            raise _from_wire(failure.__cause__) from failure
    if not answer.is_success:
        raise _from_answer(answer)
    try:
        return dict(answer.json())
    except (ValueError, TypeError) as failure:
        raise Ambiguous("PagerDuty's answer is no JSON", code=str(answer.status_code)) from failure


def _from_wire(cause: BaseException | None) -> OutsideError:
    code = type(cause).__name__
    if isinstance(cause, ConnectError | ConnectTimeout | PoolTimeout):
        return NotSent("PagerDuty could not be reached", code=code)
    if isinstance(cause, TransportError):
        return Ambiguous(f"PagerDuty did not answer ({code})", code=code)
    return Refused("PagerDuty's client made no request", code=code)


def _from_answer(answer: Response) -> OutsideError:
    code = answer.status_code
    if code == 429:
        return NotSent(
            "PagerDuty is throttling", code="429", retry_after_s=retry_after_s(answer.headers.get("Retry-After"))
        )
    if code >= 500:
        return Ambiguous(f"PagerDuty answered {code}", code=str(code))
    return Refused(f"PagerDuty refused it ({code}): {_why(answer)}", code=str(code))


def _why(answer: Response) -> str:
    try:
        return str(answer.json()["error"]["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
