"""The permission check of a view."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from novaops.access.policy import Verb, can

View = Callable[..., HttpResponseBase]


def requires(verb: Verb) -> Callable[[View], View]:
    """Refuse the view with the sentence of the policy unless the user may use `verb` somewhere."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            refuse_unless(request.user, verb)
            return view(request, *args, **kwargs)

        checked.required_verb = verb  # type: ignore[attr-defined]
        return checked

    return decorate


def refuse_unless(user: User | AnonymousUser, verb: Verb) -> None:
    """Raise PermissionDenied with the policy's sentence unless `user` may use `verb`."""
    verdict = can(user, verb)
    if not verdict:
        raise PermissionDenied(verdict.sentence)


def user_of(request: HttpRequest) -> User:
    """The signed-in user. Raises PermissionDenied where nobody is signed in."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Sign in first.")
    return request.user
