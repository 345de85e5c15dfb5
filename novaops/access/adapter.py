"""How accounts behave under django-allauth: no self-registration, and the sandbox's password stays in the sandbox."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest

# Printed by `make demo` for its five accounts; refused wherever there is no sandbox.
SANDBOX_PASSWORD = "nova-sandbox-only"  # noqa: S105 - known on purpose


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by an administrator, never by a visitor."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody registers: accounts come from `manage.py createsuperuser`, the seed, or single sign-on."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Refuse the sandbox's known password before it is compared with anything."""
        if credentials.get("password") == SANDBOX_PASSWORD and not settings.SANDBOX_URL:
            return None
        return super().authenticate(request, **credentials)

    def clean_password(self, password: str, user: Any = None) -> str:
        """Refuse the sandbox's known password as a new one."""
        if password == SANDBOX_PASSWORD and not settings.SANDBOX_URL:
            raise ValidationError("This is the sandbox's published password: choose another.")
        return str(super().clean_password(password, user))


def address_of(request: HttpRequest) -> str:
    """Where the request comes from; empty where nobody says, which is inside of no network."""
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return ""
