"""The page of what NovaOps told the world, and what people decide about it."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from novaops import environment as environments
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb, can
from novaops.outbox import decisions
from novaops.outbox.models import Message

SHOWN = 100
TROUBLED = ("failed", "unknown")


@require_GET
@requires(Verb.VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """The newest messages, those that need somebody first."""
    newest = list(Message.objects.select_related("requested_by").order_by("-pk")[:SHOWN])
    context = {
        "troubled": [message for message in newest if message.state in TROUBLED],
        "newest": newest,
        "can_join": can(user_of(request), Verb.JOIN),
    }
    return render(request, "outbox/messages.html", context)


@require_POST
@requires(Verb.JOIN)
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """Look once more whether it arrived."""
    return _decide(request, pk, decisions.check)


@require_POST
@requires(Verb.JOIN)
def sent(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark it as sent."""
    return _decide(request, pk, decisions.mark_sent)


@require_POST
@requires(Verb.JOIN)
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Send it again."""
    return _decide(request, pk, decisions.send_again)


@require_POST
@requires(Verb.JOIN)
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Do not send it after all."""
    return _decide(request, pk, decisions.withdraw)


def _decide(request: HttpRequest, pk: int, decide: Callable[..., Message]) -> HttpResponse:
    message, user = get_object_or_404(Message, pk=pk), user_of(request)
    _permit(user, message)
    try:
        decide(pk, by=user)
    except decisions.Refused as refusal:
        messages.warning(request, str(refusal))
    onward = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(onward, {request.get_host()}, require_https=request.is_secure())
    return redirect(onward if ours else message.get_absolute_url())


def _permit(user: User, message: Message) -> None:
    verdict = can(user, Verb.JOIN, environments.get(message.environment))
    if not verdict:
        raise PermissionDenied(verdict.sentence)
