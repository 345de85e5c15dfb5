"""Captures what NovaOps tells the world: Slack, PagerDuty and the status page, and shows it on pages to look at."""

import hashlib
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

from novaops.sandbox import sink_troubles
from novaops.sandbox.sink_troubles import Trouble, Troubles

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEPT = 500
BODY_LIMIT = 1024 * 1024
STATUSES = ("investigating", "identified", "monitoring", "resolved")
ROUTING_KEY_LENGTH = 32
OUTSIDE = ("/slack/", "/pagerduty/", "/statuspage/")
Body = dict[str, Any]


@dataclass
class Sinks:
    """What was captured, and which errors the next requests get.

    `errors` maps a sink's name to its error: a word for Slack (`channel_not_found`, answered over 200), an HTTP status
    for the others (and for Slack too: 429, 500).
    """

    captured: deque[Body] = field(default_factory=lambda: deque(maxlen=KEPT))
    # Slack's channels by their names, and the messages that stand in them.
    channels: dict[str, str] = field(default_factory=dict)
    messages: list[Body] = field(default_factory=list)
    # The incidents of the status page, and those of PagerDuty with their notes.
    incidents: dict[str, Body] = field(default_factory=dict)
    pages: dict[str, Body] = field(default_factory=dict)
    errors: dict[str, str | int] = field(default_factory=dict)
    troubles: Troubles = field(default_factory=Troubles)
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


LOST = Answer({"error": "bad gateway"}, HTTPStatus.BAD_GATEWAY)
sinks = Sinks()
_lock = threading.Lock()


def reset() -> None:
    """Forget everything captured, and answer everything well again."""
    with _lock:
        for kept in (sinks.captured, sinks.channels, sinks.messages, sinks.incidents, sinks.pages, sinks.errors):
            kept.clear()
        sinks.troubles.set([])


def app() -> "WSGIApplication":
    """One WSGI application for all sinks, under whatever prefix it is mounted."""

    def respond(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = _read(environ)
        answer = _through_troubles(request, environ.get("werkzeug.socket"))
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


def _through_troubles(request: Request, connection: Any) -> Answer:
    """The answer, unless some trouble takes it or its effect."""
    changes = request.method != "GET" and request.path.startswith(OUTSIDE) and "/conversations." not in request.path
    with _lock:
        trouble = sinks.troubles.take(request.path, changes=changes) if request.path.startswith(OUTSIDE) else None
        lost = trouble is not None and trouble.kind in sink_troubles.BEFORE
        answer = LOST if lost else _respond(request)
    return _troubled(trouble, answer, connection) if trouble else answer


def _troubled(trouble: Trouble, answer: Answer, connection: Any) -> Answer:
    if trouble.kind in sink_troubles.DROPS:
        sink_troubles.drop(connection)
    if trouble.kind == "hang-after":
        time.sleep(trouble.seconds)
    if trouble.kind == "throttle":
        return Answer({"error": "too many"}, HTTPStatus.TOO_MANY_REQUESTS, int(trouble.seconds))
    return LOST if trouble.kind == "error-after" else answer


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
    if respond := SLACK_METHODS.get(method):
        return respond(request)
    return Answer({"ok": False, "error": "unknown_method"})


def _channel(name: str) -> str:
    """The id of a channel by its name, or by itself."""
    if name in sinks.channels.values():
        return name
    plain = name.lstrip("#")
    digest = hashlib.sha256(plain.encode()).hexdigest()[:9].upper()
    return sinks.channels.setdefault(plain, f"C{digest}")


def _slack_post(request: Request) -> Answer:
    body = request.body
    channel, text = str(body.get("channel", "")), str(body.get("text", ""))
    if not channel:
        return Answer({"ok": False, "error": "channel_not_found"})
    if not text and not body.get("blocks"):
        return Answer({"ok": False, "error": "no_text"})
    where = _channel(channel)
    ts = str(body.get("ts") or f"{time.time():.0f}.{next(sinks.numbers):06d}")
    told = {"type": "message", "text": text, "ts": ts, "channel": where}
    told |= {name: body[name] for name in ("thread_ts", "metadata") if name in body}
    same = [index for index, message in enumerate(sinks.messages) if message["ts"] == ts]
    if same:
        sinks.messages[same[0]]["text"] = text
    else:
        sinks.messages.append(told)
    _capture("slack", request, ts=ts)
    return Answer({"ok": True, "channel": where, "ts": ts, "message": told})


def _slack_channels(_request: Request) -> Answer:
    _channel("nova-incidents")
    known = [{"id": identifier, "name": name} for name, identifier in sinks.channels.items()]
    return Answer({"ok": True, "channels": known, "response_metadata": {"next_cursor": ""}})


def _slack_history(request: Request) -> Answer:
    """What stands in a channel, or in the thread that `ts` names; only messages outside of threads for the former."""
    thread, oldest = request.body.get("ts"), float(request.body.get("oldest", 0))
    there = [
        message
        for message in sinks.messages
        if message["channel"] == request.body.get("channel")
        and float(message["ts"]) >= oldest
        and (message.get("thread_ts") == thread if thread else "thread_ts" not in message)
    ]
    return Answer({"ok": True, "messages": there[::-1], "response_metadata": {"next_cursor": ""}})


def _slack_auth(_request: Request) -> Answer:
    return Answer({"ok": True, "team": "Nova", "user": "novaops", "team_id": "TNOVA", "user_id": "UNOVAOPS"})


SLACK_METHODS: dict[str, Callable[[Request], Answer]] = {
    "auth.test": _slack_auth,
    "chat.postMessage": _slack_post,
    "chat.update": _slack_post,
    "conversations.list": _slack_channels,
    "conversations.history": _slack_history,
    "conversations.replies": _slack_history,
}


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
    known = sinks.pages.setdefault(identifier, {"status": "triggered", "notes": []})
    if request.method == "PUT":
        known["status"] = request.body.get("incident", {}).get("status", known["status"])
        _capture("pagerduty", request)
    return Answer({"incident": {"id": identifier, "type": "incident", "status": known["status"]}})


def _pagerduty_notes(request: Request, identifier: str) -> Answer:
    if refusal := _refusal("pagerduty"):
        return refusal
    known = sinks.pages.setdefault(identifier, {"status": "triggered", "notes": []})
    if request.method == "GET":
        return Answer({"notes": known["notes"]})
    note = {**request.body.get("note", {}), "id": f"PN{next(sinks.numbers):06d}"}
    known["notes"].append(note)
    _capture("pagerduty", request)
    return Answer({"note": note}, HTTPStatus.CREATED)


def _statuspage(request: Request, page: str, identifier: str | None) -> Answer:
    if refusal := _refusal("statuspage"):
        return refusal
    if not request.authorization.startswith("OAuth "):
        return Answer({"error": "Could not authenticate"}, HTTPStatus.UNAUTHORIZED)
    if request.method == "GET":
        return Answer(list(reversed(sinks.incidents.values())))
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


def _set_troubles(request: Request) -> Answer:
    """Let the next requests have these troubles: {"troubles": [{"kind": "drop-after", "path": "chat."}]}."""
    sinks.troubles.set(request.body.get("troubles", []))
    return Answer({"troubles": len(sinks.troubles.waiting)})


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
    (re.compile(r"/pagerduty/incidents/(\w+)"), ("GET", "PUT"), _pagerduty_incident),
    (re.compile(r"/pagerduty/incidents/(\w+)/notes"), ("GET", "POST"), _pagerduty_notes),
    (
        re.compile(r"/statuspage/v1/pages/(\w+)/incidents"),
        ("GET", "POST"),
        lambda request, page: _statuspage(request, page, None),
    ),
    (re.compile(r"/statuspage/v1/pages/(\w+)/incidents/(\w+)"), ("PATCH", "PUT"), _statuspage),
    (re.compile(r"/captured"), ("GET",), _captured),
    (re.compile(r"/errors"), ("POST",), _set_errors),
    (re.compile(r"/troubles"), ("POST",), _set_troubles),
    (re.compile(r"/messages"), ("GET",), _messages),
    (re.compile(r"/status"), ("GET",), _status),
)
