"""Every refusal of the API as one kind of document: a problem with a stable code and a sentence (RFC 9457)."""

import json
import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser

from novaops.runbook import planning, requests

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_BYTES = 64 * 1024
# What takes whole documents takes more; by the name of its address.
MOST_BYTES_OF: dict[str, int] = {}
# Refusals of the engine that are the request's own fault; the others are conflicts with the state of things.
STATUS = {"not-permitted": 403, "no-reason": 422, "key-reused": 422, "unknown-action": 422, "unknown-environment": 422}
FIELDS = {"no-reason": "reason", "key-reused": "Idempotency-Key"}
UNAUTHENTICATED = "Send a token that is valid here and now as 'Authorization: Bearer nova_...'."

View = Callable[..., HttpResponseBase]


class Problem(Exception):
    """A request that is not done; `code` is stable, the sentence is for people."""

    def __init__(self, status: int, code: str, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.headers: dict[str, str] = more.pop("headers", {})
        self.more = more

    def response(self) -> HttpResponse:
        """The problem document."""
        body = {
            "type": f"urn:novaops:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": str(self),
            **{name: value for name, value in self.more.items() if value is not None},
        }
        return HttpResponse(json.dumps(body), status=self.status, content_type=MEDIA_TYPE, headers={**self.headers})


class StrictParser(Parser):
    """JSON without repeated names and without the numbers that JSON does not have."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The body; raises ValueError."""
        return json.loads(request.body, object_pairs_hook=_once, parse_constant=_refuse)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name is given twice")
    return dict(pairs)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def from_engine(refusal: requests.NotStarted) -> Problem:
    """The engine's refusal with its own code, and the run that stands in the way."""
    run = refusal.run.pk if refusal.run else None
    return Problem(STATUS.get(refusal.code, 409), refusal.code, str(refusal), field=FIELDS.get(refusal.code), run=run)


def refuse_unknown_query(request: HttpRequest, known: Any) -> None:
    """Raise a Problem where the query has a name that is not a field of `known`, or one twice."""
    for name, values in request.GET.lists():
        if name not in known.model_fields:
            allowed = ", ".join(known.model_fields) or "none"
            raise Problem(422, "invalid", f"There is no such parameter. There are: {allowed}.", field=name[:60])
        if len(values) > 1:
            raise Problem(422, "invalid", "Give it once.", field=name)


def guarded(view: View) -> View:
    """The view as a machine meets it: no session, no CSRF cookie, a bounded JSON body, problems instead of pages."""

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def handle(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        objection = _unreadable(request)
        if objection:
            return objection.response()
        response = view(request, *args, **kwargs)
        if response.status_code == 405:
            headers = {"Allow": response.headers.get("Allow", "")}
            return Problem(405, "method", f"{request.method} is not possible here.", headers=headers).response()
        return response

    return handle


def _unreadable(request: HttpRequest) -> Problem | None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    name = request.resolver_match.view_name if request.resolver_match else ""
    most = MOST_BYTES_OF.get(name, MOST_BYTES)
    if int(length if length.isdecimal() else 0) > most:
        return Problem(413, "too-large", f"A request has at most {most} bytes here.")
    if request.method in ("POST", "PUT", "PATCH") and length != "0" and request.content_type != "application/json":
        return Problem(415, "media-type", "Send the body as application/json.")
    return None


@csrf_exempt
@login_not_required
def nowhere(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """Every path that the API does not have."""
    return Problem(404, "not-found", "The API has no such path.").response()


def connect(api: NinjaAPI) -> None:
    """Let the API answer every exception with a problem document."""
    api.add_exception_handler(Problem, _problem)
    api.add_exception_handler(requests.NotStarted, _refused)
    api.add_exception_handler(planning.Invalid, _invalid)
    api.add_exception_handler(ValidationError, _wrong_fields)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(RequestDataTooBig, _too_large)
    for away in (OperationalError, InterfaceError):
        api.add_exception_handler(away, _database_away)
    api.add_exception_handler(Exception, _broken)


def _problem(_: HttpRequest, problem: Any) -> HttpResponse:
    return Problem.response(problem)


def _refused(_: HttpRequest, refusal: Any) -> HttpResponse:
    return from_engine(refusal).response()


def _invalid(_: HttpRequest, failure: Any) -> HttpResponse:
    wrong = [{"field": failure.field, "rule": str(failure)}]
    return Problem(422, "invalid", str(failure), field=failure.field, errors=wrong).response()


def _wrong_fields(_: HttpRequest, failure: Any) -> HttpResponse:
    wrong = [{"field": _field(error["loc"]), "rule": error["msg"]} for error in failure.errors[:20]]
    return Problem(422, "invalid", wrong[0]["rule"], field=wrong[0]["field"], errors=wrong).response()


def _field(location: tuple[Any, ...]) -> str:
    """The field's own name: ninja puts the source and its argument's name before that of a body."""
    parts = location[2:] if location[0] == "body" else location[1:]
    return ".".join(str(part)[:60] for part in parts) or "body"


def _http_error(_: HttpRequest, failure: Any) -> HttpResponse:
    if failure.status_code == 401:
        headers = {"WWW-Authenticate": 'Bearer realm="novaops"'}
        return Problem(401, "unauthenticated", UNAUTHENTICATED, headers=headers).response()
    return Problem(failure.status_code, "not-json", "The body is not valid JSON.").response()


def _too_large(_request: HttpRequest, _failure: Any) -> HttpResponse:
    return Problem(413, "too-large", f"A request has at most {MOST_BYTES} bytes.").response()


def _database_away(_: HttpRequest, failure: Any) -> HttpResponse:
    logger.warning("The database does not answer: %s", type(failure).__name__)
    sentence = "NovaOps cannot reach its database. Nothing happened."
    return Problem(503, "database-away", sentence, headers={"Retry-After": "5"}).response()


def _broken(request: HttpRequest, failure: Any) -> HttpResponse:
    logger.error("%s %s broke", request.method, request.path, exc_info=failure)
    return Problem(500, "broken", "NovaOps itself failed; its log has the details.").response()
