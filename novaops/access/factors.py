"""Second factors: who has one, who must have one, and how their secrets rest.

An authenticator app, security keys and passkeys come from django-allauth; recovery codes stand in for a lost one. What
they protect besides the sign-in is the step-up (novaops.access.sudo). Where a factor is required, whoever may do more
than look is led to enrol one before anything else (SECURITY.md, section 5).
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa import signals
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from novaops.access.policy import Verb, may_more_than
from novaops.audit import chain

Type = Authenticator.Type
# Remembered in the session, so that a page costs no query more; forgotten when a factor is removed.
KNOWN = "has_factor"
CHANGES = {
    signals.authenticator_added: "factor.added",
    signals.authenticator_removed: "factor.removed",
    signals.authenticator_reset: "factor.reset",
}


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of factors rest encrypted under the secret key, so that a copied database signs nobody in."""

    def encrypt(self, text: str) -> str:
        """The text as Fernet writes it (AES-128-CBC with HMAC-SHA256), under the current secret key."""
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The text, whether the current secret key or one of its fallbacks sealed it. Raises InvalidToken otherwise."""
        return _cipher().decrypt(encrypted_text.encode()).decode()

    def build_totp_svg(self, url: str) -> str:
        """The address as a QR code that can stand inside a page: no data: address, which the page's policy refuses."""
        import qrcode
        from qrcode.image.svg import SvgPathImage

        drawn: str = qrcode.make(url, image_factory=SvgPathImage).to_string(encoding="unicode")
        return drawn


def _cipher() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(urlsafe_b64encode(sha256(f"factor:{key}".encode()).digest())) for key in keys])


def types_of(user: User) -> set[str]:
    """The kinds of factor the user has, recovery codes among them: `totp`, `webauthn`, `recovery_codes`."""
    return set(Authenticator.objects.filter(user=user).values_list("type", flat=True))


def is_enrolled(user: User) -> bool:
    """Whether the user has a factor of their own; recovery codes alone are none."""
    return bool(types_of(user) & {Type.TOTP, Type.WEBAUTHN})


def lead_to_enrolment(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Lead whoever may do more than look, and has no factor yet, to where one is enrolled."""

    def handle(request: HttpRequest) -> HttpResponse:
        if not settings.FACTOR_REQUIRED or request.path.startswith(("/accounts/", settings.STATIC_URL)):
            return get_response(request)
        if not isinstance(request.user, User) or _has_one(request, request.user):
            return get_response(request)
        return _to_enrolment(request)

    return handle


def _has_one(request: HttpRequest, user: User) -> bool:
    if request.session.get(KNOWN):
        return True
    if not may_more_than(user, Verb.VIEW):
        return True
    if is_enrolled(user):
        request.session[KNOWN] = True
        return True
    return False


def _to_enrolment(request: HttpRequest) -> HttpResponse:
    there = reverse("mfa_index")
    if "HX-Request" in request.headers:
        return HttpResponse(status=401, headers={"HX-Redirect": urlsplit(there).path})
    messages.warning(request, "Your role can change Nova: add a second factor before you go on.")
    return HttpResponseRedirect(there)


@receiver(list(CHANGES))
def _record_change(*, signal: Any, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    """Write the change of a factor into the chain, and ask anew whether the user has one."""
    request.session.pop(KNOWN, None)
    with transaction.atomic():
        chain.record(CHANGES[signal], by=user, subject=user.get_username(), detail={"factor": authenticator.type})
