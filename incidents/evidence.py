"""What proves a step of the checklist, and what is still missing: pure functions over the facts of an incident."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from incidents.measures import duration
from incidents.steps import StepKey


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One piece of proof, with when it happened and where to see it."""

    kind: str
    at: datetime
    text: str
    url: str = ""

    def as_json(self) -> dict[str, str]:
        return {"kind": self.kind, "at": self.at.isoformat(), "text": self.text, "url": self.url}


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Why a step cannot be closed yet, and what would mend it."""

    sentence: str
    mend: str


@dataclass(frozen=True, kw_only=True)
class ServiceHealth:
    """The live state of an affected service; `since` is when that state began, `why` what says so."""

    kind: str
    title: str
    healthy: bool
    word: str
    since: datetime | None
    why: str


@dataclass(frozen=True, kw_only=True)
class ErrorRate:
    """The API's error rate in percent: in the hour before the incident began, and now."""

    before: float
    now: float
    tolerated: float

    @property
    def at_baseline(self) -> bool:
        return self.now <= self.before + self.tolerated


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything the evidence of an incident is read from, as loaded at `now`."""

    now: datetime
    services: tuple[str, ...]
    severity: str
    commander: str
    alerts: tuple[Evidence, ...] = ()
    reports: tuple[Evidence, ...] = ()
    snapshot: Evidence | None = None
    messages: tuple[Evidence, ...] = ()
    # Where nobody was told yet, though the environment says that people are told there.
    untold: tuple[str, ...] = ()
    succeeded_runs: tuple[Evidence, ...] = ()
    no_action: tuple[Evidence, ...] = ()
    health: tuple[ServiceHealth, ...] = ()
    error_rate: ErrorRate | None = None
    verify_for_s: int = 0
    open_before: tuple[str, ...] = ()
    resolved_at: datetime | None = None
    exported: Evidence | None = None
    published: Evidence | None = None
    loose_follow_ups: tuple[str, ...] = ()


def evidence(step: StepKey, facts: Facts) -> list[Evidence]:
    """What proves the step so far, oldest first."""
    return sorted(EVIDENCE[step](facts), key=lambda piece: piece.at)


def missing(step: StepKey, facts: Facts) -> list[Missing]:
    """Every reason why the step cannot be closed; empty means it can."""
    return MISSING[step](facts)


def _detect(facts: Facts) -> list[Evidence]:
    return [*facts.alerts, *facts.reports]


def _detect_missing(facts: Facts) -> list[Missing]:
    if facts.alerts or facts.reports:
        return []
    return [Missing(sentence="No alert and no report is recorded.", mend="Record who reported it, and when.")]


def _assess(facts: Facts) -> list[Evidence]:
    if not facts.snapshot:
        return []
    affected = Evidence(
        kind="affected", at=facts.snapshot.at, text=f"{facts.severity}: {', '.join(facts.services) or 'no service'}"
    )
    return [affected, facts.snapshot]


def _assess_missing(facts: Facts) -> list[Missing]:
    found = []
    if not facts.services:
        found.append(Missing(sentence="No affected service is set.", mend="Choose the services that are affected."))
    if not facts.severity:
        found.append(Missing(sentence="No severity is set.", mend="Choose the severity by its definition."))
    if not facts.snapshot:
        found.append(Missing(sentence="The overview's verdict is not attached.", mend="Save the affected services."))
    return found


def _communicate(facts: Facts) -> list[Evidence]:
    return list(facts.messages)


def _communicate_missing(facts: Facts) -> list[Missing]:
    found = []
    if not facts.commander:
        found.append(Missing(sentence="Nobody commands the incident.", mend="Take command, or assign a commander."))
    found += [
        Missing(sentence=f"Nothing is told on {where} yet.", mend="Post it here, or record what was posted by hand.")
        for where in facts.untold
    ]
    if not facts.messages and not facts.untold:
        found.append(Missing(sentence="No message is recorded.", mend="Record what was posted, with its link."))
    return found


def _mitigate(facts: Facts) -> list[Evidence]:
    return [*facts.succeeded_runs, *facts.no_action]


def _mitigate_missing(facts: Facts) -> list[Missing]:
    if facts.succeeded_runs or facts.no_action:
        return []
    return [
        Missing(
            sentence="No action on an affected service has succeeded.",
            mend="Run an action, or note why none was needed.",
        )
    ]


def _resolve(facts: Facts) -> list[Evidence]:
    rate = facts.error_rate
    said = f"Error rate {rate.now:.1f} %, in the hour before it began {rate.before:.1f} %" if rate else ""
    return [
        *([Evidence(kind="error-rate", at=facts.now, text=said)] if rate else []),
        *(
            Evidence(
                kind="health",
                at=facts.now,
                text=f"{service.title} is {service.word}"
                + (f" since {service.since:%H:%M:%S} UTC" if service.since else ""),
            )
            for service in facts.health
        ),
    ]


def _resolve_missing(facts: Facts) -> list[Missing]:
    found = [
        Missing(sentence=f"{title} is still open.", mend=f"Close {title} first, or override it with a reason.")
        for title in facts.open_before
    ]
    if not facts.health:
        found.append(
            Missing(
                sentence="No affected service is set, so nothing can be checked.", mend="Set the affected services."
            )
        )
    found += [reason for service in facts.health for reason in _unhealthy(service, facts)]
    rate = facts.error_rate
    if rate and not rate.at_baseline:
        sentence = f"The error rate is {rate.now:.1f} %; in the hour before it began it was {rate.before:.1f} %."
        found.append(Missing(sentence=sentence, mend="Mitigate first, then check again."))
    return found


def _unhealthy(service: ServiceHealth, facts: Facts) -> list[Missing]:
    if not service.healthy:
        why = f": {service.why}" if service.why else "."
        return [Missing(sentence=f"{service.title} is {service.word}{why}", mend="Mitigate first, then check again.")]
    if service.since is None:
        return []
    healthy_s = (facts.now - service.since).total_seconds()
    left_s = facts.verify_for_s - healthy_s
    if left_s <= 0:
        return []
    sentence = (
        f"{service.title} is healthy for {duration(healthy_s)} only, {duration(facts.verify_for_s)} are asked for."
    )
    return [Missing(sentence=sentence, mend=f"Check again in {duration(max(left_s, 1))}.")]


def _postmortem(facts: Facts) -> list[Evidence]:
    return [piece for piece in (facts.published, facts.exported) if piece]


def _postmortem_missing(facts: Facts) -> list[Missing]:
    found = []
    if facts.resolved_at is None:
        found.append(Missing(sentence="The incident is not resolved.", mend="Resolve it first."))
    if not facts.published:
        mend = "Have a second person review it, then publish it."
        found.append(Missing(sentence="The post-mortem is not published.", mend=mend))
    if not facts.exported:
        found.append(Missing(sentence="The post-mortem is not exported.", mend="Finish it, then export it."))
    found += [
        Missing(
            sentence=f"The follow-up “{title}” has no owner who is still here, or no date.",
            mend="Give it both under Follow-ups.",
        )
        for title in facts.loose_follow_ups
    ]
    return found


EVIDENCE: dict[StepKey, Callable[[Facts], list[Evidence]]] = {
    StepKey.DETECT: _detect,
    StepKey.ASSESS: _assess,
    StepKey.COMMUNICATE: _communicate,
    StepKey.MITIGATE: _mitigate,
    StepKey.RESOLVE: _resolve,
    StepKey.POSTMORTEM: _postmortem,
}
MISSING: dict[StepKey, Callable[[Facts], list[Missing]]] = {
    StepKey.DETECT: _detect_missing,
    StepKey.ASSESS: _assess_missing,
    StepKey.COMMUNICATE: _communicate_missing,
    StepKey.MITIGATE: _mitigate_missing,
    StepKey.RESOLVE: _resolve_missing,
    StepKey.POSTMORTEM: _postmortem_missing,
}
