"""Settings from environment variables, read loudly: a wrong value stops the start and says what is allowed."""

import os

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


def env_str(name: str, default: str | None = None) -> str:
    """The variable's text; without a default the variable is required."""
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set. It is required: see docs/configure.md.")
    return value


def env_bool(name: str, default: bool) -> bool:
    """True for 1/true/yes/on, False for 0/false/no/off, anything else is refused."""
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value in TRUE | FALSE:
        return value in TRUE
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false: use 1 or 0.")


def env_int(name: str, default: int, *, minimum: int = 0) -> int:
    """A whole number of at least `minimum`."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    if not value.lstrip("-").isdigit() or int(value) < minimum:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number of at least {minimum}.")
    return int(value)


def env_list(name: str, default: str = "") -> list[str]:
    """Comma-separated words, blanks dropped."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def env_secret(name: str, *, minimum_length: int = 32) -> str:
    """A secret of at least `minimum_length` characters; its value is never part of an error."""
    value = env_str(name)
    if len(value) < minimum_length:
        raise ImproperlyConfigured(f"{name} is shorter than {minimum_length} characters.")
    return value


def live_secrets(name: str, *, minimum_length: int = 16) -> tuple[bytes, ...]:
    """The one or two secrets of a variable, comma-separated: the second while one replaces the other. Empty: unset."""
    found = env_list(name)
    if len(found) > 2 or any(len(secret) < minimum_length for secret in found):
        raise ImproperlyConfigured(f"{name} must hold one or two secrets of at least {minimum_length} characters.")
    return tuple(secret.encode() for secret in found)
