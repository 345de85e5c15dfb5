"""Step-up: who is about to do something destructive, or approves it, proves once more who they are.

The proof is kept in the session for five minutes, and the session's key changes with it (ASVS 7.2.4, 7.5.3). Nothing
that was to be sent is replayed: the user returns to the page they came from and decides there.
"""

import time
from urllib.parse import urlencode

from allauth.core import ratelimit
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from novaops.audit import chain

SUDO_S = 300
KEY = "sudo_at_s"


def active(request: HttpRequest) -> bool:
    """Whether the session's user stepped up within the last five minutes."""
    return time.time() - float(request.session.get(KEY, 0)) < SUDO_S


def grant(request: HttpRequest, user: User, password: str) -> str:
    """Step up with the account's password. Returns the sentence to show where it is refused, empty where granted."""
    if not user.has_usable_password():
        return "This account has no password to prove itself with: sign in with one that has a factor."
    if not ratelimit.consume(request, action="reauthenticate", user=user):
        return "Too many attempts: wait a minute."
    if authenticate(request, username=user.get_username(), password=password) != user:
        return "That is not this account's password. Nothing happened."
    with transaction.atomic():
        request.session.cycle_key()
        request.session[KEY] = time.time()
        chain.record("sudo.granted", by=user, subject=user.get_username(), detail={"method": "password"})
    return ""


def step_up(back: str) -> HttpResponseRedirect:
    """To the page where the user steps up, and from there to `back`."""
    return HttpResponseRedirect(f"{reverse('access:sudo')}?{urlencode({'next': back})}")


def safe_return(request: HttpRequest, address: str) -> str:
    """The address if it is one of ours, else the overview (ASVS 3.7.2)."""
    ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if ours else "/"
