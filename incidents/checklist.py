"""Closing the six steps: on evidence, or overridden by name; resolving and reopening the incident with them."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from incidents import facts as loader
from incidents import owed, telling
from incidents.evidence import Facts, evidence, missing
from incidents.guard import Refused, locked
from incidents.models import ChecklistItem, ChecklistStep, Incident, Waiver
from incidents.steps import STEP, StepKey
from incidents.timeline import Kind, append, publish
from novaops.access.policy import Verb, can
from novaops.audit import chain

SHORTEST_REASON = 10
State = ChecklistStep.State


@transaction.atomic
def complete(number: int, key: str, *, by: User) -> Incident:
    """Close a step on its evidence. Raises Refused with every reason while something is missing.

    Resolve and Post-mortem are decisions of the commander; the others of anybody in the incident.
    """
    verb = Verb.COMMAND if key == StepKey.RESOLVE else Verb.JOIN
    incident, place = locked(number, by=by, verb=verb)
    step = _open_step(incident, key)
    facts = loader.load(incident, place)
    if reasons := missing(StepKey(key), facts):
        raise Refused(f"{step.title} cannot be closed yet.", reasons)
    _close(incident, step, State.DONE, by, facts)
    if key == StepKey.RESOLVE:
        telling.resolve(incident, place, by=by)
    detail = {"step": key, "state": State.DONE, "evidence": step.evidence}
    _record("incident.step", incident, by, detail=detail)
    return incident


@transaction.atomic
def override(number: int, key: str, reason: str, *, by: User) -> Incident:
    """Close a step without its evidence, by name and with a reason that the post-mortem shows in red."""
    incident, place = locked(number, by=by, verb=Verb.COMMAND)
    step = _open_step(incident, key)
    if len(reason.strip()) < SHORTEST_REASON:
        raise Refused(f"Give the reason in at least {SHORTEST_REASON} characters: the post-mortem shows it.")
    step.override_reason = reason.strip()
    facts = loader.load(incident, place)
    lacked = [found.sentence for found in missing(StepKey(key), facts)]
    _close(incident, step, State.OVERRIDDEN, by, facts)
    if key == StepKey.RESOLVE:
        telling.resolve(incident, place, by=by)
    detail = {"step": key, "missing": lacked}
    _record("incident.override", incident, by, reason=step.override_reason, detail=detail)
    return incident


@transaction.atomic
def skip(number: int, key: str, reason: str, *, by: User) -> Incident:
    """Close a step that is not done, with a reason. Resolve is never skipped; a post-mortem only where none is owed."""
    incident, _ = locked(number, by=by, verb=Verb.COMMAND)
    step = _open_step(incident, key)
    if key == StepKey.RESOLVE:
        raise Refused("An incident ends by Resolve: it cannot be skipped.")
    if key == StepKey.POSTMORTEM and (incident.is_open or incident.grade.owes_postmortem):
        why = "is still open" if incident.is_open else f"is a {incident.severity}"
        raise Refused(f"{incident.name} {why}: it owes a post-mortem.")
    step.override_reason = _reason(reason)
    step.state, step.done_at, step.done_by = State.SKIPPED, timezone.now(), by
    step.save()
    if key == StepKey.POSTMORTEM:
        incident.state = Incident.State.CLOSED
        incident.save(update_fields=["state"])
        waived = {"reason": step.override_reason, "by": by, "at": step.done_at}
        Waiver.objects.update_or_create(incident=incident, defaults=waived)
        owed.changed(incident.environment)
    text = f"{step.title} skipped: {step.override_reason}"
    append(incident, Kind.STEP, text, by=by, data={"step": key, "state": State.SKIPPED})
    _record("incident.step", incident, by, reason=step.override_reason, detail={"step": key, "state": State.SKIPPED})
    return incident


@transaction.atomic
def reopen_step(number: int, key: str, reason: str, *, by: User) -> Incident:
    """Open a closed step again, with a reason; opening Resolve opens the incident."""
    if key == StepKey.RESOLVE:
        return reopen(number, reason, by=by)
    incident, _ = locked(number, by=by, verb=Verb.COMMAND)
    step = incident.steps.filter(key=key).first()
    if step is None or step.is_open:
        return incident
    said = _reason(reason)
    step.state, step.done_at, step.done_by, step.evidence, step.override_reason = State.OPEN, None, None, [], ""
    step.save()
    if key == StepKey.MITIGATE and incident.is_open:
        incident.mitigated_at = None
    if key == StepKey.POSTMORTEM and incident.state == Incident.State.CLOSED:
        incident.state = Incident.State.RESOLVED
        Waiver.objects.filter(incident=incident).delete()
    incident.save(update_fields=["mitigated_at", "state"])
    append(incident, Kind.STEP, f"{step.title} reopened: {said}", by=by, data={"step": key, "state": State.OPEN})
    _record("incident.step", incident, by, reason=said, detail={"step": key, "state": State.OPEN})
    return incident


@transaction.atomic
def set_owner(number: int, key: str, user: User | None, *, by: User) -> Incident:
    """Say who sees to a step; None: nobody."""
    incident, place = locked(number, by=by, verb=Verb.JOIN)
    step = incident.steps.select_related("owner").filter(key=key).first()
    if step is None or step.owner == user:
        return incident
    if user and not can(user, Verb.JOIN, place):
        raise Refused(f"{user} may not write in incidents: choose a responder or commander.")
    before, step.owner = step.owner, user
    step.save(update_fields=["owner"])
    text = f"{step.title} is with {user}" if user else f"{step.title} is with nobody"
    append(incident, Kind.ROLE, text, by=by, data={"step": key, "to": str(user or "")})
    _record("incident.owner", incident, by, detail={"step": key, "from": str(before or ""), "to": str(user or "")})
    return incident


@transaction.atomic
def reopen(number: int, reason: str, *, by: User) -> Incident:
    """Open a resolved incident again: Resolve and Post-mortem are open as before."""
    incident, _ = locked(number, by=by, verb=Verb.COMMAND)
    if incident.is_open:
        return incident
    said = _reason(reason)
    cause = Incident.objects.filter(dedup_key=incident.dedup_key, state=Incident.State.OPEN)
    if incident.dedup_key and (other := cause.first()):
        raise Refused(f"{other.name} is open for the same cause: work there.")
    incident.state, incident.resolved_at = Incident.State.OPEN, None
    incident.save(update_fields=["state", "resolved_at"])
    Waiver.objects.filter(incident=incident).delete()
    owed.reopened(incident)
    incident.steps.filter(key__in=[StepKey.RESOLVE, StepKey.POSTMORTEM]).update(
        state=State.OPEN, done_at=None, done_by=None, evidence=[], override_reason=""
    )
    append(incident, Kind.STATE, f"Reopened: {said}", by=by, starred=True)
    _record("incident.reopened", incident, by, reason=said)
    return incident


@transaction.atomic
def tick(number: int, item: int, done: bool, *, by: User) -> Incident:
    """Tick a part of a step, or untick it."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    values = {"done_at": timezone.now(), "done_by": by} if done else {"done_at": None, "done_by": None}
    if not ChecklistItem.objects.filter(step__incident=incident, pk=item).update(**values):
        raise Refused("That item does not belong to this incident.")
    publish(incident)
    _record("incident.item", incident, by, detail={"item": item, "done": done})
    return incident


@transaction.atomic
def no_action(number: int, why: str, *, by: User, key: str = "") -> Incident:
    """Note why nothing was done about it, which Mitigate takes instead of a run."""
    incident, _ = locked(number, by=by, verb=Verb.JOIN)
    if len(why.strip()) < SHORTEST_REASON:
        raise Refused(f"Say in at least {SHORTEST_REASON} characters why no action was needed.")
    text = f"No action: {why.strip()}"
    append(incident, Kind.NOTE, text, by=by, data={"no_action": True}, dedup_key=key)
    _record("incident.no_action", incident, by, reason=why.strip())
    return incident


def _reason(text: str) -> str:
    if len(text.strip()) < SHORTEST_REASON:
        raise Refused(f"Give the reason in at least {SHORTEST_REASON} characters.")
    return text.strip()


def _record(verb: str, incident: Incident, by: User, **more: Any) -> None:
    chain.record(verb, by=by, subject=str(incident), environment=incident.environment, incident=incident.number, **more)


def _open_step(incident: Incident, key: str) -> ChecklistStep:
    step = incident.steps.filter(key=key).first()
    if step is None:
        raise Refused("There is no such step.")
    if not step.is_open:
        raise Refused(f"{step.title} is closed already.")
    return step


def _close(incident: Incident, step: ChecklistStep, state: str, by: User, facts: Facts) -> None:
    key = StepKey(step.key)
    step.state, step.done_at, step.done_by = state, facts.now, by
    step.evidence = [piece.as_json() for piece in evidence(key, facts)]
    step.save()
    _move(incident, key, facts)
    reason = f": {step.override_reason}" if step.override_reason else ""
    append(
        incident,
        Kind.STEP,
        f"{STEP[key].title} {State(state).label.lower()}{reason}",
        by=by,
        at=facts.now,
        data={"step": key, "state": state},
        starred=key in (StepKey.MITIGATE, StepKey.RESOLVE),
    )


def _move(incident: Incident, key: StepKey, facts: Facts) -> None:
    """What closing a step means for the incident itself."""
    if key == StepKey.MITIGATE:
        incident.mitigated_at = _mitigated_at(facts)
    elif key == StepKey.RESOLVE:
        incident.state, incident.resolved_at = Incident.State.RESOLVED, facts.now
        incident.mitigated_at = incident.mitigated_at or (_mitigated_at(facts) if facts.succeeded_runs else None)
        owed.resolved(incident)
    elif key == StepKey.POSTMORTEM and not incident.is_open:
        incident.state = Incident.State.CLOSED
    incident.save(update_fields=["state", "mitigated_at", "resolved_at"])


def _mitigated_at(facts: Facts) -> datetime:
    """When the last successful run ended; the time of the decision where none was needed."""
    return max((piece.at for piece in facts.succeeded_runs), default=facts.now)


def opened_at(steps: list[ChecklistStep], position: int, declared_at: datetime) -> datetime:
    """When a step's clock started: when the step before it was closed, or at the declaration."""
    earlier = [step.done_at for step in steps if step.position < position and step.done_at]
    return max([declared_at, *earlier])


def spent(step: ChecklistStep, steps: list[ChecklistStep], declared_at: datetime, now: datetime) -> timedelta:
    """How long a step took, or has been taking."""
    return max((step.done_at or now) - opened_at(steps, step.position, declared_at), timedelta())
