"""`/hooks/<source>`: what outside systems send, answered in one insert. A refusal says nothing but that it is one."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from dashboard.hooks import bell, inbox, ledger, pagerduty, senders, sns
from dashboard.hooks.letters import Letter, Refused
from novaops.cloud.errors import OutsideError

logger = logging.getLogger(__name__)

Check = Callable[[Mapping[str, str], bytes, datetime], Letter]
# Those who tell again until they hear of success: a second copy is a success.
TELL_AGAIN = {pagerduty.SOURCE: pagerduty.check, sns.SOURCE: sns.check}

# SNS takes any 4xx for delivered, and would not tell again.
TOO_MANY = {sns.SOURCE: 503}


@csrf_exempt
@require_POST
@login_not_required
def receive(request: HttpRequest, source: str) -> HttpResponse:
    """Verify, store, answer. Where the database is away the sender is asked to come again."""
    now = timezone.now()
    try:
        new = _taken(request, source, now)
    except Refused as refusal:
        if refusal.status != 404:
            ledger.refused(source, str(refusal), request, now)
        return _plain(refusal.status)
    except (DatabaseError, OutsideError) as failure:
        logger.warning("A delivery of %s could not be taken now: %s", source, type(failure).__name__)
        return _plain(503)
    if new:
        bell.ring()
    return _plain(202 if new or source in TELL_AGAIN else 409)


def _taken(request: HttpRequest, source: str, now: datetime) -> bool:
    """Whether the message is new. Raises Refused."""
    check: Check = TELL_AGAIN.get(source) or partial(senders.check, source)
    body = _body(request)
    letter = check(request.headers, body, now)
    if not ledger.patient(source, settings.HOOKS_A_MINUTE, now):
        raise Refused("more came in a minute than is taken", TOO_MANY.get(source, 429))
    return inbox.keep(letter, body, "https", now)


def _body(request: HttpRequest) -> bytes:
    told = request.META.get("CONTENT_LENGTH") or "0"
    if not told.isdecimal() or int(told) > inbox.LARGEST:
        raise Refused("it is larger than is taken", 413)
    try:
        return request.body
    except UnreadablePostError as failure:
        raise Refused("it broke off", 400) from failure


def _plain(status: int) -> HttpResponse:
    words = {202: "accepted", 409: "known", 503: "again"}.get(status, "refused")
    again = {"Retry-After": "5"} if status in (429, 503) else {}
    return HttpResponse(f"{words}\n", content_type="text/plain", status=status, headers=again)
