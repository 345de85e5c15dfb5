"""Step-up: who is about to do something destructive, or approves it, proves once more who they are.

By the account's factor where it has one, by its password where it has none (the sandbox's accounts). The proof is kept
in the session for five minutes, and the session's key changes with it (ASVS 7.2.4, 7.5.3). Nothing that was to be sent
is replayed: the user returns to the page they came from and decides there.
"""

import time
from typing import Any
from urllib.parse import urlencode

from allauth.core import ratelimit
from allauth.mfa.base.forms import ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import begin_authentication
from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from novaops.access import factors
from novaops.access.key_forms import ConfirmKeyForm
from novaops.audit import chain

SUDO_S = 300
KEY = "sudo_at_s"


class PasswordForm(forms.Form):
    """The account's password, asked for once more. For accounts without a factor."""

    method = "password"
    password = forms.CharField(
        label="Your password", widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, *args: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.user = request, user

    def clean_password(self) -> str:
        """Refuse a wrong password, and too many attempts."""
        if not self.user.has_usable_password():
            raise ValidationError("This account has nothing to prove itself with: add a second factor to it first.")
        if not ratelimit.consume(self.request, action="reauthenticate", user=self.user):
            raise ValidationError("Too many attempts: wait a minute.")
        password: str = self.cleaned_data["password"]
        if authenticate(self.request, username=self.user.get_username(), password=password) != self.user:
            raise ValidationError("That is not this account's password. Nothing happened.")
        return password


class CodeForm(ReauthenticateForm):  # type: ignore[misc]
    """A code of the account's authenticator app, or one of its recovery codes; each is taken once."""

    method = "code"

    def __init__(self, *args: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        self.fields["code"].label = "Code of your authenticator app, or a recovery code"
        self.fields["code"].widget.attrs = {"autocomplete": "one-time-code", "inputmode": "numeric"}


class KeyForm(ConfirmKeyForm):
    """What a security key or passkey of the account answered to the page's challenge."""

    method = "key"

    def __init__(self, *args: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)


def active(request: HttpRequest) -> bool:
    """Whether the session's user stepped up within the last five minutes."""
    return time.time() - float(request.session.get(KEY, 0)) < SUDO_S


def forms_for(request: HttpRequest, user: User) -> dict[str, forms.Form]:
    """The ways in which this user may step up, by name (`password`, `code`, `key`); the one that was sent is bound."""
    types = factors.types_of(user)
    kinds: list[Any] = [CodeForm] if types - {Authenticator.Type.WEBAUTHN} else []
    if Authenticator.Type.WEBAUTHN in types:
        kinds.append(KeyForm)
    sent = request.POST.get("method", "") if request.method == "POST" else None
    return {
        kind.method: kind(request.POST if sent == kind.method else None, request=request, user=user)
        for kind in kinds or [PasswordForm]
    }


def challenge(user: User) -> dict[str, Any]:
    """What a security key of the user is asked to sign; kept in the session until it is answered."""
    return {"request_options": begin_authentication(user)}


def grant(request: HttpRequest, user: User, form: Any) -> None:
    """Let the session's user, whose form is valid, act for five minutes; audited, under a new session key."""
    if not isinstance(form, PasswordForm):
        form.save()
    with transaction.atomic():
        request.session.cycle_key()
        request.session[KEY] = time.time()
        chain.record("sudo.granted", by=user, subject=user.get_username(), detail={"method": form.method})


def step_up(back: str) -> HttpResponseRedirect:
    """To the page where the user steps up, and from there to `back`."""
    return HttpResponseRedirect(f"{reverse('access:sudo')}?{urlencode({'next': back})}")


def safe_return(request: HttpRequest, address: str) -> str:
    """The address if it is one of ours, else the overview (ASVS 3.7.2)."""
    ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if ours else "/"
