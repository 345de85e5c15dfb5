"""What the room shows of an incident, built from rows in one go."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Count, Prefetch, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from dashboard import overview
from dashboard.overview import Overview
from incidents import entries
from incidents import facts as loader
from incidents.checklist import spent
from incidents.entries import Shown
from incidents.evidence import Evidence, Facts, Missing, evidence, missing
from incidents.models import ChecklistStep, FollowUp, Incident, Role
from incidents.steps import STEP, StepKey
from novaops import live
from novaops.access.policy import Verb, Verdict, can
from novaops.environment import Environment
from novaops.runbook import offers


@dataclass(frozen=True, kw_only=True)
class Next:
    """The one best thing to do for a step: a link, or a form to post to."""

    label: str
    url: str
    post: bool = False


@dataclass(frozen=True, kw_only=True)
class StepView:
    """One step as the room shows it; `mark` is the vocabulary's, `spent` how long it took or has taken."""

    row: ChecklistStep
    mark: str
    spent: timedelta
    evidence: list[Evidence]
    missing: list[Missing]
    next: Next | None
    current: bool

    @property
    def ticked(self) -> int:
        return sum(item.done_at is not None for item in self.row.items.all())


@dataclass(frozen=True, kw_only=True)
class Room:
    """Everything on the page of an incident."""

    incident: Incident
    environment: Environment
    steps: list[StepView]
    timeline: Shown
    shown: overview.Overview
    roles: list[Role]
    tiles: list[overview.Tile]
    offers: list[offers.Offer]
    next_update_due_at: datetime | None
    update_overdue: bool
    can_join: Verdict
    can_command: Verdict
    commands: bool
    rev: str

    @property
    def closed_steps(self) -> int:
        return sum(not step.row.is_open for step in self.steps)


def revision(incident: Incident, environment: Environment) -> str:
    """Moves on with the incident and with the overview of its environment; empty where either is not known."""
    own, shown = live.revision(f"incident:{incident.number}"), overview.revision(environment)
    return f"{own}.{shown}" if own and shown else ""


def find(number: int) -> QuerySet[Incident]:
    """The incident of that number with all that its pages show of it."""
    steps = ChecklistStep.objects.select_related("done_by", "owner").prefetch_related("items")
    open_work = Count("follow_ups", filter=Q(follow_ups__state=FollowUp.State.OPEN))
    found = (
        Incident.objects.filter(number=number)
        .select_related("commander", "postmortem", "merged_into")
        .defer("postmortem__text")
    )
    return found.annotate(open_follow_ups=open_work).prefetch_related(Prefetch("steps", steps))


def build(incident: Incident, environment: Environment, user: User, show: str = "", before: int | None = None) -> Room:
    """The room as this user sees it now; `show` and `before` choose what of the timeline."""
    rev = revision(incident, environment)
    shown = overview.build(environment)
    facts = loader.load(incident, environment, shown)
    can_join, can_command = can(user, Verb.JOIN, environment), can(user, Verb.COMMAND, environment)
    due = incident.next_update_due_at
    return Room(
        incident=incident,
        environment=environment,
        steps=steps(incident, facts),
        timeline=entries.page(incident, show, before),
        shown=shown,
        roles=list(incident.roles.filter(until=None).select_related("user")),
        tiles=[tile for tile in shown.tiles if tile.kind in incident.services],
        offers=suggested(incident, shown, user) if incident.is_open else [],
        next_update_due_at=due,
        update_overdue=due is not None and due < facts.now,
        can_join=can_join,
        can_command=can_command,
        commands=incident.commander == user,
        rev=rev,
    )


def suggested(incident: Incident, shown: Overview, user: User) -> list[offers.Offer]:
    """The actions on the affected services, tied to the incident: first what the firing rules suggest, as they rank."""
    place, number = shown.environment, incident.number
    firing = [alert for alert in shown.alerts if alert.service in incident.services]
    first = overview.offers_for(firing, user, place, number)
    known = {offer.action_key for offer in first}
    every = (found for kind in incident.services for found in offers.of_service(user, kind, place, number))
    return [*first, *(offer for offer in every if offer.action_key not in known)]


def steps(incident: Incident, facts: Facts) -> list[StepView]:
    """The six steps with what proves them, what they lack and the best next thing."""
    rows = list(incident.steps.all())
    first_open = next((row.key for row in rows if row.is_open), "")
    return [_step(incident, row, rows, facts, current=row.key == first_open) for row in rows]


def _step(
    incident: Incident, row: ChecklistStep, rows: list[ChecklistStep], facts: Facts, *, current: bool
) -> StepView:
    key = StepKey(row.key)
    lacks = missing(key, facts) if row.is_open else []
    return StepView(
        row=row,
        mark="running" if current else "pending" if row.is_open else row.state,
        spent=spent(row, rows, incident.declared_at, timezone.now()),
        evidence=evidence(key, facts) if row.is_open else [],
        missing=lacks,
        next=_next(incident, key, facts, lacks) if row.is_open else None,
        current=current,
    )


def _next(incident: Incident, key: StepKey, facts: Facts, lacks: list[Missing]) -> Next:
    if not lacks:
        label = "Resolve the incident" if key == StepKey.RESOLVE else f"Close {STEP[key].title}"
        return Next(label=label, url=reverse("incidents:complete", args=[incident.number, key]), post=True)
    if key == StepKey.COMMUNICATE and not facts.commander:
        return Next(label="Take command", url=reverse("incidents:command", args=[incident.number]), post=True)
    if key == StepKey.POSTMORTEM and facts.resolved_at:
        return Next(label=STEP[key].button, url=reverse("incidents:postmortem", args=[incident.number]))
    return Next(label=STEP[key].button, url=reverse("incidents:step", args=[incident.number, key]))
