"""Forms that take what a security key answered: whatever a client sends instead is refused, never an error of ours."""

from typing import Any

from allauth.mfa.webauthn import forms as webauthn
from cryptography.exceptions import InvalidSignature
from django.core.exceptions import ValidationError

# What fido2 raises over an answer that is not of the shape of WebAuthn's, or not of this challenge.
NOT_AN_ANSWER = (KeyError, TypeError, ValueError, AttributeError, InvalidSignature)
REFUSAL = "That is not an answer of your key to this page's challenge. Try again; nothing happened."


class AddKeyForm(webauthn.AddWebAuthnForm):  # type: ignore[misc]
    def clean(self) -> dict[str, Any]:
        """Refuse a registration that is none."""
        try:
            cleaned: dict[str, Any] = super().clean()
        except NOT_AN_ANSWER as refusal:
            raise ValidationError(REFUSAL) from refusal
        return cleaned


class _Answer:
    """Refuses an assertion that is none."""

    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except NOT_AN_ANSWER as refusal:
            raise ValidationError(REFUSAL) from refusal


class SignInKeyForm(_Answer, webauthn.AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A key's answer at the sign-in."""


class ConfirmKeyForm(_Answer, webauthn.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A key's answer where a signed-in user proves themselves again."""
