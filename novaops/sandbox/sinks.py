"""Captures what NovaOps tells the world: Slack, PagerDuty and the status page, and shows it on pages to look at."""

import html
import itertools
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEPT = 500
BODY_LIMIT = 1024 * 1024
STATUSES = ("investigating", "identified", "monitoring", "resolved")
ROUTING_KEY_LENGTH = 32
Body = dict[str, Any]


@dataclass
class Sinks:
    """What was captured, and which errors the next requests get.

    `errors` maps a sink's name to its error: a word for Slack (`channel_not_found`, answered over 200), an HTTP status
    for the others (and for Slack too: 429, 500).
    """

    captured: deque[Body] = field(default_factory=lambda: deque(maxlen=KEPT))
    incidents: dict[str, Body] = field(default_factory=dict)
    errors: dict[str, str | int] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))


@dataclass(frozen=True)
class Request:
    """A request as the sinks need it."""

    method: str
    path: str
    body: Body
    authorization: str
    sender: str


@dataclass(frozen=True)
class Answer:
    """A JSON answer, or a page of HTML."""

    content: Any
    status: HTTPStatus = HTTPStatus.OK
    retry_after_s: int | None = None


sinks = Sinks()
_lock = threading.Lock()


def reset() -> None:
    """Forget everything captured, and answer everything well again."""
    with _lock:
        sinks.captured.clear()
        sinks.incidents.clear()
        sinks.errors.clear()


def app() -> "WSGIApplication":
    """One WSGI application for all sinks, under whatever prefix it is mounted."""

    def respond(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = _read(environ)
        with _lock:
            answer = _respond(request)
        page = isinstance(answer.content, str)
        body = answer.content.encode() if page else json.dumps(answer.content).encode()
        headers = [
            ("Content-Type", "text/html; charset=utf-8" if page else "application/json"),
            ("Content-Length", str(len(body))),
        ]
        if answer.retry_after_s is not None:
            headers.append(("Retry-After", str(answer.retry_after_s)))
        start_response(f"{answer.status.value} {answer.status.phrase}", headers)
        return [body]

    return respond


def _read(environ: "WSGIEnvironment") -> Request:
    raw = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), BODY_LIMIT))
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", ""),
        body=_body(raw, environ.get("CONTENT_TYPE", "")),
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
        sender=environ.get("HTTP_FROM", ""),
    )


def _body(raw: bytes, kind: str) -> Body:
    if "json" not in kind:
        return {name: values[-1] for name, values in parse_qs(raw.decode(errors="replace")).items()}
    try:
        parsed = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _respond(request: Request) -> Answer:
    for pattern, methods, respond in ROUTES:
        if match := pattern.fullmatch(request.path):
            if request.method not in methods:
                return Answer({"error": "method not allowed"}, HTTPStatus.METHOD_NOT_ALLOWED)
            return respond(request, *match.groups())
    return Answer({"error": "not found"}, HTTPStatus.NOT_FOUND)


def _capture(sink: str, request: Request, **more: Any) -> None:
    what = {"sink": sink, "at": datetime.now(UTC).isoformat(), "method": request.method, "path": request.path}
    sinks.captured.append({**what, "body": request.body, **more})


def _refusal(sink: str) -> Answer | None:
    """The HTTP error that a sink was told to answer with."""
    error = sinks.errors.get(sink)
    if not isinstance(error, int):
        return None
    status = HTTPStatus(error)
    return Answer({"error": status.phrase}, status, 1 if status is HTTPStatus.TOO_MANY_REQUESTS else None)


def _slack(request: Request, method: str) -> Answer:
    if refusal := _refusal("slack"):
        return refusal
    if error := sinks.errors.get("slack"):
        return Answer({"ok": False, "error": error})
    if not (request.authorization.startswith("Bearer ") or request.body.get("token")):
        return Answer({"ok": False, "error": "not_authed"})
    if method == "auth.test":
        return Answer({"ok": True, "team": "Nova", "user": "novaops", "team_id": "TNOVA", "user_id": "UNOVAOPS"})
    if method not in {"chat.postMessage", "chat.update"}:
        return Answer({"ok": False, "error": "unknown_method"})
    channel, text = str(request.body.get("channel", "")), str(request.body.get("text", ""))
    if not channel:
        return Answer({"ok": False, "error": "channel_not_found"})
    if not text and not request.body.get("blocks"):
        return Answer({"ok": False, "error": "no_text"})
    ts = str(request.body.get("ts") or f"{time.time():.0f}.{next(sinks.numbers):06d}")
    _capture("slack", request, ts=ts)
    return Answer({"ok": True, "channel": channel, "ts": ts, "message": {"text": text, "type": "message", "ts": ts}})


def _pagerduty_enqueue(request: Request) -> Answer:
    if refusal := _refusal("pagerduty"):
        return refusal
    action, key = request.body.get("event_action"), str(request.body.get("routing_key", ""))
    wrong = [] if len(key) == ROUTING_KEY_LENGTH else ["'routing_key' is invalid"]
    wrong += [] if action in {"trigger", "acknowledge", "resolve"} else ["'event_action' is invalid"]
    if wrong:
        problem = {"status": "invalid event", "message": "Event object is invalid", "errors": wrong}
        return Answer(problem, HTTPStatus.BAD_REQUEST)
    dedup_key = str(request.body.get("dedup_key") or f"nova-{next(sinks.numbers)}")
    _capture("pagerduty", request)
    accepted = {"status": "success", "message": "Event processed", "dedup_key": dedup_key}
    return Answer(accepted, HTTPStatus.ACCEPTED)


def _pagerduty_incident(request: Request, identifier: str) -> Answer:
    if refusal := _refusal("pagerduty"):
        return refusal
    if not request.authorization.startswith("Token token="):
        return Answer({"error": {"code": 2006, "message": "Authentication failed"}}, HTTPStatus.UNAUTHORIZED)
    if not request.sender:
        return Answer({"error": {"code": 2001, "message": "From header is required"}}, HTTPStatus.BAD_REQUEST)
    _capture("pagerduty", request)
    return Answer({"incident": {**request.body.get("incident", {}), "id": identifier, "type": "incident"}})


def _statuspage(request: Request, page: str, identifier: str | None) -> Answer:
    if refusal := _refusal("statuspage"):
        return refusal
    if not request.authorization.startswith("OAuth "):
        return Answer({"error": "Could not authenticate"}, HTTPStatus.UNAUTHORIZED)
    asked = request.body.get("incident")
    if not isinstance(asked, dict) or asked.get("status", STATUSES[0]) not in STATUSES:
        return Answer({"error": ["status is invalid"]}, HTTPStatus.UNPROCESSABLE_ENTITY)
    if identifier is None and not asked.get("name"):
        return Answer({"error": ["Name can't be blank"]}, HTTPStatus.UNPROCESSABLE_ENTITY)
    if identifier is not None and identifier not in sinks.incidents:
        return Answer({"error": "Not found"}, HTTPStatus.NOT_FOUND)
    key = identifier or f"inc{next(sinks.numbers):06d}"
    known = sinks.incidents.get(key, {"id": key, "page_id": page, "status": STATUSES[0], "updates": []})
    update = {"status": asked.get("status", known["status"]), "body": asked.get("body", "")}
    sinks.incidents[key] = {**known, **asked, "status": update["status"], "updates": [*known["updates"], update]}
    _capture("statuspage", request)
    return Answer(sinks.incidents[key], HTTPStatus.OK if identifier else HTTPStatus.CREATED)


def _captured(_request: Request) -> Answer:
    return Answer({"captured": list(sinks.captured), "errors": dict(sinks.errors)})


def _set_errors(request: Request) -> Answer:
    """Switch errors on ({"slack": "channel_not_found", "pagerduty": 500}); an empty object switches all off."""
    sinks.errors.clear()
    sinks.errors.update(request.body)
    return Answer(dict(sinks.errors))


def _status(_request: Request) -> Answer:
    """The public status page, as Nova's customers would see it."""
    open_ones = [incident for incident in sinks.incidents.values() if incident["status"] != "resolved"]
    title = "Some systems have problems" if open_ones else "All systems operational"
    rows = [
        f"<h2>{html.escape(str(incident.get('name', '')))}: {html.escape(incident['status'])}</h2>"
        + "".join(
            f"<p>{html.escape(update['status'])}: {html.escape(str(update['body']))}</p>"
            for update in incident["updates"]
        )
        for incident in reversed(sinks.incidents.values())
    ]
    return Answer(_page(f"Nova status: {title}", rows))


def _messages(_request: Request) -> Answer:
    """Everything captured, newest first."""
    rows = [
        f"<h2>{html.escape(item['sink'])} {html.escape(item['at'])}</h2>"
        f"<pre>{html.escape(json.dumps(item['body'], indent=1))}</pre>"
        for item in reversed(sinks.captured)
    ]
    return Answer(_page("What NovaOps told the world", rows))


def _page(title: str, rows: list[str]) -> str:
    body = "".join(rows) or "<p>Nothing yet.</p>"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{title}</h1>{body}</body></html>'


Respond = Callable[..., Answer]
ROUTES: tuple[tuple[re.Pattern[str], tuple[str, ...], Respond], ...] = (
    (re.compile(r"/slack/api/([\w.]+)"), ("POST",), _slack),
    (re.compile(r"/pagerduty/v2/enqueue"), ("POST",), _pagerduty_enqueue),
    (re.compile(r"/pagerduty/incidents/(\w+)"), ("PUT",), _pagerduty_incident),
    (
        re.compile(r"/statuspage/v1/pages/(\w+)/incidents"),
        ("POST",),
        lambda request, page: _statuspage(request, page, None),
    ),
    (re.compile(r"/statuspage/v1/pages/(\w+)/incidents/(\w+)"), ("PATCH", "PUT"), _statuspage),
    (re.compile(r"/captured"), ("GET",), _captured),
    (re.compile(r"/errors"), ("POST",), _set_errors),
    (re.compile(r"/messages"), ("GET",), _messages),
    (re.compile(r"/status"), ("GET",), _status),
)
