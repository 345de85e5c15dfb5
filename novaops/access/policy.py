"""The one place that decides: may this user do this here, and if not, which sentence says why."""

from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser, User

from novaops.access.models import EVERYWHERE, Grant
from novaops.environment import Environment


class Verb(StrEnum):
    """What can be permitted. The roles that hold each are in ROLES (SECURITY.md, section 5)."""

    VIEW = "view"
    RUN_SAFE = "run-safe"
    RUN_DISRUPTIVE = "run-disruptive"
    RUN_DESTRUCTIVE = "run-destructive"
    APPROVE = "approve"
    JOIN = "join"
    COMMAND = "command"
    SILENCE = "silence"
    SETTINGS = "settings"
    SANDBOX = "sandbox"


RUNS = frozenset({Verb.RUN_SAFE, Verb.RUN_DISRUPTIVE, Verb.RUN_DESTRUCTIVE})
ROLES: dict[str, frozenset[Verb]] = {
    "viewer": frozenset({Verb.VIEW}),
    "responder": frozenset({Verb.VIEW, Verb.JOIN, Verb.SILENCE, Verb.SANDBOX}) | RUNS,
    "commander": frozenset({Verb.VIEW, Verb.JOIN, Verb.COMMAND, Verb.APPROVE, Verb.SILENCE, Verb.SANDBOX}) | RUNS,
    # An administrator changes settings and deliberately cannot run anything.
    "admin": frozenset({Verb.VIEW, Verb.SETTINGS, Verb.SANDBOX}),
}
WORDS: dict[Verb, str] = {
    Verb.VIEW: "see NovaOps",
    Verb.RUN_SAFE: "run safe actions",
    Verb.RUN_DISRUPTIVE: "run disruptive actions",
    Verb.RUN_DESTRUCTIVE: "request destructive actions",
    Verb.APPROVE: "approve",
    Verb.JOIN: "write in incidents",
    Verb.COMMAND: "command incidents",
    Verb.SILENCE: "silence alerts",
    Verb.SETTINGS: "change settings",
    Verb.SANDBOX: "steer the sandbox",
}


@dataclass(frozen=True)
class Verdict:
    """Whether something is allowed; where not, `sentence` says why and who could."""

    allowed: bool
    sentence: str = ""

    def __bool__(self) -> bool:
        return self.allowed


ALLOWED = Verdict(allowed=True)


def can(user: User | AnonymousUser, verb: Verb, environment: Environment | None = None) -> Verdict:
    """Whether `user` may use `verb` in `environment` (None: anywhere). Denied unless granted."""
    if not user.is_authenticated or not user.is_active:
        return Verdict(allowed=False, sentence="Sign in first.")
    places = {EVERYWHERE, environment.name} if environment else None
    if any(grant_verb == verb and (places is None or place in places) for place, grant_verb in _grants(user)):
        return ALLOWED
    return Verdict(allowed=False, sentence=_refusal(verb))


def may_more_than(user: User, verb: Verb) -> bool:
    """Whether `user` may use any other verb than `verb` anywhere."""
    return any(held != verb for _, held in _grants(user))


def _refusal(verb: Verb) -> str:
    roles = " or ".join(role for role, verbs in ROLES.items() if verb in verbs)
    return f"Your role may not {WORDS[verb]}: ask {'an' if roles.startswith('a') else 'a'} {roles}."


def _grants(user: User) -> frozenset[tuple[str, str]]:
    """The user's grants, read once per user object: once per request and once per task."""
    held: frozenset[tuple[str, str]] | None = getattr(user, "_grants", None)
    if held is None:
        held = frozenset(Grant.objects.filter(group__user=user).values_list("environment", "verb"))
        user._grants = held  # type: ignore[attr-defined]
    return held
