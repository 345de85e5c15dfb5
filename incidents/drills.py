"""Drills: a scenario of the sandbox, worked on the same pages, scored at the end. Never near a real environment."""

from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.http import Http404
from django.utils import timezone

from incidents.guard import Refused, permit
from incidents.models import ChecklistStep, Drill, Incident
from novaops import environment as environments
from novaops import live
from novaops.access.policy import Verb
from novaops.audit import chain
from novaops.cloud import rehearsal
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment

# From which moment to which; `[environments.<name>.drills]` says within how long.
TIMES = (
    ("Detect", "begun", "detected_at", "detect_s"),
    ("Acknowledge", "detected_at", "acknowledged_at", "acknowledge_s"),
    ("Mitigate", "detected_at", "mitigated_at", "mitigate_s"),
    ("Resolve", "detected_at", "resolved_at", "resolve_s"),
)
KEPT_FOR_S = 10
POINTS_A_TIME = 15
POINTS_OF_STEPS = 40
# A time this many times its target is worth nothing.
WORTHLESS = 3
HOW = (
    f"Each of the {len(TIMES)} times is worth {POINTS_A_TIME} points up to its target, fewer beyond it, and none from "
    f"{WORTHLESS} times the target on; the steps that were done share {POINTS_OF_STEPS}."
)


def refusal(place: Environment) -> str:
    """Why there can be no drill here; empty where there can."""
    if not settings.SANDBOX_URL:
        return "A drill needs a simulated Nova, and NOVAOPS_SANDBOX_URL is not set."
    if place.production:
        return f"{place.title} is production: there is no drill."
    if not rehearsal.is_simulated(settings.SANDBOX_URL):
        return "AWS is not reached through the simulated Nova: a drill could touch something real."
    if real := rehearsal.elsewhere(settings.SANDBOX_URL, place.addresses):
        return f"{', '.join(real)}: not the simulated Nova's. A drill could reach something real."
    return ""


def objection(place: Environment, number: int | None) -> str:
    """Why no run may begin: it is a drill's, or a drill goes on there, and something real is within reach."""
    incident = Incident.objects.filter(number=number, is_drill=True).first() if number is not None else None
    if incident and incident.environment != place.name:
        return f"{incident.name} is a drill in {incident.environment}: nothing is run in {place.title} for it."
    if incident is None and running(place.name) is None:
        return ""
    why = refusal(place)
    return f"A drill goes on in {place.title}. {why} End it under Drills first." if why else ""


def start(place: Environment, scenario: str, *, by: User) -> Drill:
    """Let the scenario begin; the next incident declared in the environment is the drill's. Raises Refused."""
    permit(by, Verb.SANDBOX, place)
    if said := refusal(place):
        raise Refused(said)
    if running(place.name):
        raise Refused("A drill is running here: end it first.")
    if Incident.objects.filter(environment=place.name, state=Incident.State.OPEN).exists():
        raise Refused("An incident is open here: a drill would mix with it.")
    try:
        known = {one.name for one in rehearsal.scenarios(settings.SANDBOX_URL)}
        if scenario not in known:
            raise Refused(f"There is no scenario {scenario!r}.")
        rehearsal.play(settings.SANDBOX_URL, scenario)
    except OutsideError as failure:
        raise Refused(f"The scenario did not start: {failure}.") from failure
    with transaction.atomic():
        drill = Drill.objects.create(
            environment=place.name, scenario=scenario, started_at=timezone.now(), started_by=by
        )
        _changed(drill.environment)
        _record("drill.started", drill, by)
    return drill


def end(pk: int, *, by: User) -> Drill:
    """End the drill, score it, and let the simulated Nova be calm again."""
    with transaction.atomic():
        drill = Drill.objects.select_for_update(of=("self",)).select_related("incident").filter(pk=pk).first()
        if drill is None:
            raise Http404
        permit(by, Verb.SANDBOX, None)
        if drill.ended_at:
            return drill
        drill.ended_at = timezone.now()
        drill.score = score(drill)
        drill.save()
        _changed(drill.environment)
        _record("drill.ended", drill, by)
    try:
        if settings.SANDBOX_URL:
            rehearsal.play(settings.SANDBOX_URL, "calm")
    except OutsideError as failure:
        raise Refused(f"The drill is scored, but the scenario goes on: {failure}.") from failure
    return drill


def running(environment: str) -> Drill | None:
    """The drill that goes on there."""
    return Drill.objects.filter(environment=environment, ended_at=None).select_related("incident").first()


def go_on(place: Environment) -> bool:
    """Whether one goes on there, as every page asks; where none can begin, nothing is read."""
    if not settings.SANDBOX_URL:
        return False
    found: bool | None = cache.get(_key(place.name))
    if found is None:
        found = running(place.name) is not None
        cache.set(_key(place.name), found, timeout=KEPT_FOR_S)
    return found


def _key(environment: str) -> str:
    return f"drill:{environment}"


def claim(incident: Incident) -> None:
    """Make a new incident a drill's where one goes on in its environment; in the declaring transaction."""
    drill = running(incident.environment)
    if drill is None:
        return
    incident.is_drill = True
    incident.save(update_fields=["is_drill"])
    if drill.incident is None:
        drill.incident = incident
        drill.save(update_fields=["incident"])


def score(drill: Drill) -> dict[str, Any]:
    """How it went: each time beside its target, the steps that were not done, and points out of 100, each explained."""
    incident = drill.incident
    targets = (environments.get(drill.environment) or environments.default()).drills
    times = [_time(drill, name, first, second, getattr(targets, key)) for name, first, second, key in TIMES]
    steps = list(incident.steps.all()) if incident else []
    missed = [f"{step.title} ({step.get_state_display().lower()})" for step in steps if not _done(step)]
    done = sum(_done(step) for step in steps)
    of_steps = round(POINTS_OF_STEPS * done / len(steps)) if steps else 0
    return {
        "points": of_steps + sum(time["points"] for time in times),
        "times": times,
        "steps": {"done": done, "all": len(steps), "points": of_steps, "most": POINTS_OF_STEPS},
        "missed": missed if incident else ["No incident was declared"],
        "how": HOW,
    }


def _done(step: ChecklistStep) -> bool:
    return step.state == ChecklistStep.State.DONE


def _time(drill: Drill, name: str, first: str, second: str, target_s: int) -> dict[str, Any]:
    start: datetime | None = drill.started_at if first == "begun" else getattr(drill.incident, first, None)
    # An alert may have been there before: people begin with the scenario.
    start = max(start, drill.started_at) if start else None
    end: datetime | None = getattr(drill.incident, second, None)
    took_s = max((end - start).total_seconds(), 0.0) if start and end else None
    over = 0.0 if took_s is None else max(took_s / target_s - 1, 0.0)
    points = 0 if took_s is None else round(POINTS_A_TIME * max(1 - over / (WORTHLESS - 1), 0))
    since = "the scenario began" if first == "begun" else "it was detected"
    return {
        "name": name,
        "since": since,
        "took_s": took_s,
        "target_s": float(target_s),
        "points": points,
        "most": POINTS_A_TIME,
    }


def _changed(environment: str) -> None:
    transaction.on_commit(partial(cache.delete, _key(environment)))
    live.publish(f"overview:{environment}")


def _record(verb: str, drill: Drill, by: User) -> None:
    chain.record(
        verb,
        by=by,
        subject=str(drill),
        environment=drill.environment,
        incident=drill.incident.number if drill.incident else None,
        detail={"scenario": drill.scenario, "score": drill.score},
    )
