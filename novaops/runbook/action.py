"""What an action is made of: a declared procedure, its prechecks, and the steps its plan is derived from."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from django import forms

from novaops.access.policy import Verb
from novaops.environment import Environment

# The key of an action's facts under which stands what moves by itself (a cursor, a queue): shown and judged by the
# prechecks, and different at the run without voiding the plan. Steps must not depend on it.
MOVING = "now"
MARKER = re.compile(r"\{(run|by|reason)\}")
UNTAGGABLE = re.compile(r"[^\w .:/=+@-]+")


class Risk(StrEnum):
    """What an action can do to Nova's users; decides who may run it and whether a second person must approve."""

    SAFE = "safe"
    DISRUPTIVE = "disruptive"
    DESTRUCTIVE = "destructive"

    @property
    def verb(self) -> Verb:
        return Verb(f"run-{self.value}")


class Repeat(StrEnum):
    """What sending an effect again would do (RELIABILITY.md).

    NAMED: the identifier comes from the run, a second call is refused as already existing. CONVERGING: an absolute
    desired state, setting it again changes nothing. ONCE: nothing guards it; it is never sent again by itself.
    """

    NAMED = "named"
    CONVERGING = "converging"
    ONCE = "once"


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a plan or a step works on: where, on what, with which parameters, and what was seen when planning."""

    environment: Environment
    target: str
    params: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    run_id: int = 0
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Precheck:
    """One condition of a plan with the sentence the user reads. `state` is passed, warning or failed."""

    state: str
    sentence: str

    @classmethod
    def require(cls, holds: bool, passed: str, failed: str) -> "Precheck":
        """Passed or failed by `holds`."""
        return cls(state="passed", sentence=passed) if holds else cls(state="failed", sentence=failed)


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the plan changes: from `before` to `after`, in words."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class FromStep:
    """In an effect's parameters: what an earlier step of the same run resulted in."""

    step: str
    name: str

    def __str__(self) -> str:
        return f"<{self.name} of step {self.step}>"


@dataclass(frozen=True)
class FromRun:
    """In an effect's parameters: a text with the run's number in place of `{run}`.

    `{by}` and `{reason}` stand for who asked for the run and why, in what AWS allows of a tag.
    """

    text: str

    def __str__(self) -> str:
        return self.filled(run="<run>", by="<who>", reason="<why>")

    def filled(self, *, run: str, by: str, reason: str) -> str:
        """The text with these in place of its markers."""
        return MARKER.sub(lambda marker: {"run": run, "by": by, "reason": reason}[marker[1]], self.text)


def shown(params: Any) -> Any:
    """The parameters as a plan shows them: what only the run will know stands there in words."""
    return _filled(params, str)


def sendable(params: Any, ctx: "Context") -> Any:
    """The parameters with what the run knows now. Raises KeyError where an earlier step left no such result."""
    return _filled(params, lambda marker: _known(marker, ctx))


def _known(marker: FromStep | FromRun, ctx: "Context") -> Any:
    if isinstance(marker, FromRun):
        return marker.filled(run=str(ctx.run_id), by=_taggable(ctx.by), reason=_taggable(ctx.reason))
    return ctx.results[marker.step][marker.name]


def _taggable(text: str) -> str:
    """The text in the characters and the length that a tag of AWS may have."""
    return UNTAGGABLE.sub(" ", text).strip()[:256]


def _filled(value: Any, fill: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, fill) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, fill) for inner in value]
    return fill(value) if isinstance(value, FromStep | FromRun) else value


@dataclass(frozen=True, kw_only=True)
class Inverse:
    """What puts a run's change back: an action with parameters, and the sentence of its button."""

    action: str
    params: dict[str, Any]
    sentence: str
    worth_s: float = 7 * 24 * 3600


class Sender(Protocol):
    """A changing call to the outside that is sent exactly once (`cloud.aws.Operation` is one)."""

    @property
    def name(self) -> str: ...

    def __call__(
        self, environment: Environment, params: dict[str, Any], *, fence: Callable[[], bool], run_id: int
    ) -> dict[str, Any]: ...

    def command_line(self, params: dict[str, Any]) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What looking at the outside shows of a sent effect; `result` is what later steps need of it."""

    sentence: str
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A step that changes the outside by one call. Its `params` may hold FromStep and FromRun markers.

    `before` reads a fingerprint right before the call; `observe(ctx, before)` tells later whether the call took
    effect (Seen) or not yet (None); `result` keeps what later steps need of the answer, beside the fingerprint, which
    they find as `ctx.results[key]["before"]`. Where the outside shows nothing `observe_for_s` seconds after sending,
    the outcome of a ONCE effect is unknown.
    """

    key: str
    title: str
    call: Sender
    params: dict[str, Any]
    repeat: Repeat
    before: Callable[[Context], dict[str, Any]]
    observe: Callable[[Context, dict[str, Any]], Seen | None]
    result: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda _answer: {})
    observe_for_s: float = 120
    kind: ClassVar[str] = "effect"


class Verdict(StrEnum):
    """What one look of a wait or a verification found."""

    NOT_YET = "not-yet"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One look at something that takes time, in the outside's own words.

    The `result` of a look that is not the last is found by the next one in `ctx.results` under its own step's key.
    """

    verdict: Verdict
    sentence: str
    percent: int | None = None
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """A step that looks every few seconds (the environment's `poll_every_s`) until done, failed or too late."""

    key: str
    title: str
    look: Callable[[Context], Progress]
    timeout_s: float
    kind: ClassVar[str] = "wait"


@dataclass(frozen=True, kw_only=True)
class Verify(Wait):
    """A wait whose question is whether Nova is healthy after the change."""

    kind: ClassVar[str] = "verify"


AnyStep = Effect | Wait


class NoParameters(forms.Form):
    """The form of an action that has no parameters."""


class Action:
    """One runbook procedure. Everything that is shown, documented, permitted or tested about it is declared here."""

    key: ClassVar[str]
    title: ClassVar[str]
    service: ClassVar[str]
    risk: ClassVar[Risk]
    runbook_section: ClassVar[str]
    iam_permissions: ClassVar[tuple[str, ...]]
    expected_s: ClassVar[float]
    affects: ClassVar[str]
    undo: ClassVar[str]
    cool_down_s: ClassVar[int] = 0
    # How often AWS lets this be done to a target in 24 hours; None where nothing is known.
    most_in_24_h: ClassVar[int | None] = None
    # Whether `inverse` also puts back a run that ended halfway, and so must be offered after it failed or was canceled.
    undoes_halves: ClassVar[bool] = False
    form: ClassVar[type[forms.Form]] = NoParameters

    def applies(self, environment: Environment) -> bool:
        """Whether the environment has what this action acts upon."""
        return True

    def targets(self, environment: Environment) -> tuple[str, ...]:
        """The declared names that may be its target."""
        return (environment.target(self.service),)

    def may_target(self, environment: Environment, target: str) -> bool:
        """Whether it may act on that name. An action on what comes and goes has no `targets`, and decides here."""
        return target in self.targets(environment)

    def look(self, ctx: Context) -> dict[str, Any]:
        """Read what the plan hangs on (JSON values only). Raises an OutsideError where the outside does not answer.

        `ctx.facts` are those of the plan when a run of it begins, and empty when it is made.
        """
        raise NotImplementedError

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        """What must hold, judged from `ctx.facts` alone."""
        raise NotImplementedError

    def changes(self, ctx: Context) -> Iterable[Change]:
        """What will be different, from -> to."""
        raise NotImplementedError

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """The steps, a pure function of `ctx`: the preview and the execution derive from the same."""
        raise NotImplementedError

    def inverse(self, ctx: Context) -> Inverse | None:
        """What puts a succeeded run back; None where there is nothing to put back."""
        return None
