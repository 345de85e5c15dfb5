"""Headers of every answer, what cannot be stored, the end of sessions, and redirects that htmx can follow."""

import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils.cache import patch_vary_headers

Handler = Callable[[HttpRequest], HttpResponse]
PERMISSIONS = "camera=(), microphone=(), geolocation=(), publickey-credentials-get=(self)"
LAST_SEEN = "last_seen_s"


def headers(get_response: Handler) -> Handler:
    """Permissions-Policy and resource policy always; nothing behind the sign-in is ever stored by a browser."""

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.setdefault("Permissions-Policy", PERMISSIONS)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        patch_vary_headers(response, ["HX-Request"])
        if not request.path.startswith(settings.STATIC_URL):
            response.setdefault("Cache-Control", "no-store")
        if request.path == resolve_url("account_logout") and request.method == "POST":
            response["Clear-Site-Data"] = '"cache", "storage"'
        return response

    return handle


def newer_session(get_response: Handler) -> Handler:
    """Let no answer to a GET delete the session's cookie; that of a session that is over opens nothing.

    A poll under way while the session's key changes is answered for the old key, often after the new one has arrived,
    and would sign out whoever has just proven who they are.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if request.method == "GET" and cookie is not None and not cookie.value:
            del response.cookies[settings.SESSION_COOKIE_NAME]
        return response

    return handle


def storable(get_response: Handler) -> Handler:
    """Answer 400 to a query or form with a NUL character, which nobody types and PostgreSQL's text cannot hold.

    The API answers for itself, with the name of the field; a webhook's body is nobody's form, and read raw.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        fields = () if request.path.startswith(("/api/", "/hooks/")) else (request.GET, request.POST)
        if any("\x00" in value for field in fields for _, values in field.lists() for value in values):
            raise BadRequest("A NUL character was sent.")
        return get_response(request)

    return handle


def idle_sessions(get_response: Handler) -> Handler:
    """Sign out a session that was not used for SESSION_IDLE_S; polls of an open page do not count as use."""

    def handle(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            _stamp_or_end(request)
        return get_response(request)

    return handle


def _stamp_or_end(request: HttpRequest) -> None:
    now, seen = int(time.time()), request.session.get(LAST_SEEN)
    if seen is not None and now - seen > settings.SESSION_IDLE_S:
        logout(request)
        return
    polled = "rev" in request.GET
    # One write a minute is precise enough for a limit of hours.
    if seen is None or (not polled and now - seen > 60):
        request.session[LAST_SEEN] = now


def htmx_redirects(get_response: Handler) -> Handler:
    """Send the whole page to the sign-in when a fragment's session has ended, instead of swapping it into a tile."""
    login_path = resolve_url(settings.LOGIN_URL)

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        to_login = response.status_code == 302 and urlsplit(response["Location"]).path == login_path
        if "HX-Request" not in request.headers or not to_login or request.path == login_path:
            return response
        page = urlsplit(request.headers.get("HX-Current-URL", "")).path or "/"
        return HttpResponse(status=401, headers={"HX-Redirect": f"{login_path}?{urlencode({'next': page})}"})

    return handle
