"""Who stands behind a command: the named account, or the one that is called like the user of the machine."""

import getpass

from django.contrib.auth.models import User
from django.core.management.base import CommandError


def system_user() -> str:
    """The name of the machine's user who runs this process; empty where the machine has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def own_account() -> User | None:
    """The active account that is called like the machine's user."""
    return User.objects.filter(username=system_user(), is_active=True).first()


def account(username: str | None) -> User:
    """The active account of that name, or one's own. Raises CommandError where there is none."""
    found = User.objects.filter(username=username, is_active=True).first() if username else own_account()
    if found is None:
        wanted = username or system_user()
        raise CommandError(
            f"There is no active account {wanted!r}: name one with --user. Nothing happened.", returncode=2
        )
    return found
