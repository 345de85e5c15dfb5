"""A small outside world for the engine's tests: a bell that counts how often it rang, and actions that ring it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django import forms

from novaops.cloud.errors import Ambiguous, Fenced, NotSent, Refused
from novaops.environment import Environment
from novaops.runbook.action import (
    Action,
    AnyStep,
    Change,
    Context,
    Effect,
    Precheck,
    Progress,
    Repeat,
    Risk,
    Seen,
    Verdict,
    Verify,
    Wait,
)


class Died(BaseException):
    """The worker was killed: like a signal, no `except Exception` sees it."""


@dataclass
class Bell:
    """The outside. `rung` is the truth that the engine's rows are compared with; `troubles` come one per call."""

    rung: list[int] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    visible: bool = True
    open: bool = True
    blind: bool = False
    polls: int = 0
    settled_after: int = 1
    broken: bool = False


bell = Bell()


@dataclass(frozen=True)
class RingBell:
    """The changing call: meets the trouble that is next, before or after the bell has rung."""

    name: str = "tower:RingBell"

    def __call__(
        self, environment: Environment, params: dict[str, Any], *, fence: Callable[[], bool], run_id: int
    ) -> dict[str, Any]:
        trouble = bell.troubles.pop(0) if bell.troubles else ""
        if trouble == "not-connected":
            raise NotSent("tower:RingBell: not reached")
        if trouble == "die-before-signing":
            raise Died
        if not fence():
            raise Fenced(self.name)
        if trouble == "die-before-ringing":
            raise Died
        if trouble == "throttled":
            raise NotSent("tower:RingBell: throttled")
        if trouble == "refused":
            raise Refused("tower:RingBell: InvalidState: the bell is being cleaned")
        if trouble == "error-before":
            raise Ambiguous("tower:RingBell: 500")
        bell.rung.append(run_id)
        if trouble == "die-after-ringing":
            raise Died
        if trouble == "answer-lost":
            raise Ambiguous("tower:RingBell: connection closed")
        return {"number": len(bell.rung), "ResponseMetadata": {"RequestId": "request-1"}}

    def command_line(self, params: dict[str, Any]) -> str:
        return "tower ring-bell"


class TimesForm(forms.Form):
    """One parameter, to see parameters pass through."""

    times = forms.IntegerField(min_value=1, max_value=9, required=False)


class Ring(Action):
    """Ring once, wait until it is quiet, verify that nobody complains."""

    key = "ring"
    title = "Ring the bell"
    service = "api"
    risk = Risk.DISRUPTIVE
    runbook_section = "Tests"
    iam_permissions = ("tower:RingBell",)
    expected_s = 3.0
    affects = "Everybody hears it."
    undo = "A bell cannot be unrung."
    repeat = Repeat.ONCE
    observe_for_s = 0.0
    form = TimesForm

    def look(self, ctx: Context) -> dict[str, Any]:
        if bell.blind:
            raise NotSent("The tower cannot be seen")
        return {"open": bell.open}

    def prechecks(self, ctx: Context) -> Iterable[Precheck]:
        yield Precheck.require(ctx.facts["open"], "The tower is open.", "The tower is closed.")

    def changes(self, ctx: Context) -> Iterable[Change]:
        yield Change(what="Bell", before="quiet", after="rung")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        yield Effect(
            key="ring",
            title="Ring",
            call=RingBell(),
            params={"bell": ctx.target, **ctx.params},
            repeat=self.repeat,
            before=lambda _: {"rung": len(bell.rung)},
            observe=_observe,
            result=lambda answer: {"number": answer["number"]},
            observe_for_s=self.observe_for_s,
        )
        yield Wait(key="quiet", title="It becomes quiet", look=_quiet, timeout_s=60)
        yield Verify(key="peace", title="Nobody complains", look=lambda _: _done("Peace"), timeout_s=60)


class RingAgain(Ring):
    """The same where ringing twice is harmless."""

    key = "ring-again"
    repeat = Repeat.CONVERGING


def _observe(ctx: Context, before: dict[str, Any]) -> Seen | None:
    if not bell.visible or len(bell.rung) <= before["rung"]:
        return None
    return Seen(sentence="It was heard", result={"number": len(bell.rung)})


def _quiet(ctx: Context) -> Progress:
    bell.polls += 1
    if bell.broken:
        return Progress(verdict=Verdict.FAILED, sentence="The rope broke")
    if bell.polls < bell.settled_after:
        return Progress(verdict=Verdict.NOT_YET, sentence="Still swinging", percent=50)
    return _done(f"Quiet after ring {ctx.results['ring']['number']}")


def _done(sentence: str) -> Progress:
    return Progress(verdict=Verdict.DONE, sentence=sentence)
