"""What the room shows of an incident, built from rows in one go."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.contrib.auth.models import User
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe

from dashboard import overview
from dashboard.overview import Overview
from incidents import entries
from incidents import facts as loader
from incidents.checklist import spent
from incidents.entries import SHOWS
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


@dataclass(frozen=True, kw_only=True)
class Room:
    """Everything on the page of an incident; the timeline is read where a page shows it."""

    incident: Incident
    environment: Environment
    steps: list[StepView]
    timeline: Callable[[], str]
    show: str
    before: int | None
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


def topics(incident: Incident, environment: Environment) -> tuple[str, ...]:
    """What moves the room on: the incident, and the overview of its environment."""
    return (f"incident:{incident.number}", *overview.topics(environment))


def revision(incident: Incident, environment: Environment) -> str:
    """Moves on with the topics and with time; empty where one of them is not known."""
    return live.current(topics(incident, environment), environment.collect_every_s)


def find(number: int) -> QuerySet[Incident]:
    """The incident of that number with all that its pages show of it."""
    steps = ChecklistStep.objects.select_related("done_by", "owner")
    work = FollowUp.objects.filter(incident=OuterRef("pk"), state=FollowUp.State.OPEN).order_by()
    open_work = work.values("incident").annotate(count=Count("pk")).values("count")
    found = (
        Incident.objects.filter(number=number)
        .select_related("commander", "postmortem", "merged_into")
        .defer("postmortem__text")
    )
    counted = found.annotate(open_follow_ups=Coalesce(Subquery(open_work), 0))
    return counted.prefetch_related(Prefetch("steps", steps))


def build(incident: Incident, environment: Environment, user: User, show: str = "", before: int | None = None) -> Room:
    """The room as this user sees it now; `show` and `before` choose what of the timeline."""
    rev = revision(incident, environment)
    shown = overview.shared(environment)
    can_join, can_command = can(user, Verb.JOIN, environment), can(user, Verb.COMMAND, environment)
    due = incident.next_update_due_at
    return Room(
        incident=incident,
        environment=environment,
        steps=steps(incident, environment, shown),
        timeline=partial(timeline, incident, show, before, can_join=can_join.allowed),
        show=show if show in SHOWS else "",
        before=before,
        shown=shown,
        roles=list(incident.roles.filter(until=None).select_related("user")),
        tiles=[tile for tile in shown.tiles if tile.kind in incident.services],
        offers=suggested(incident, shown, user) if incident.is_open else [],
        next_update_due_at=due,
        update_overdue=due is not None and due < timezone.now(),
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


def timeline(incident: Incident, show: str, before: int | None, *, can_join: bool) -> str:
    """What was told, as HTML; the newest page is rendered once for all of the same rights until more is told."""

    def rendered() -> str:
        shown = {"shown": entries.page(incident, show, before), "incident": incident, "can_join": can_join}
        return render_to_string("incidents/_timeline.html", shown)

    if before:
        return mark_safe(rendered())  # noqa: S308 (a template's)
    own = f"timeline:{incident.number}:{show}:{can_join}:{timezone.now():%Y-%m-%d}"
    return mark_safe(live.fragment(own, live.revision(f"incident:{incident.number}"), rendered))  # noqa: S308 (as above)


def steps(incident: Incident, environment: Environment, shown: Overview) -> list[StepView]:
    """The six steps with what proves them, what they lack and the best next thing."""
    rows = list(incident.steps.all())
    first_open = next((row.key for row in rows if row.is_open), "")
    facts = loader.load(incident, environment, shown) if first_open else None
    return [_step(incident, row, rows, facts, current=row.key == first_open) for row in rows]


def _step(
    incident: Incident, row: ChecklistStep, rows: list[ChecklistStep], facts: Facts | None, *, current: bool
) -> StepView:
    key = StepKey(row.key)
    lacks = missing(key, facts) if facts and row.is_open else []
    return StepView(
        row=row,
        mark="running" if current else "pending" if row.is_open else row.state,
        spent=spent(row, rows, incident.declared_at, timezone.now()),
        evidence=evidence(key, facts) if facts and row.is_open else [],
        missing=lacks,
        next=_next(incident, key, facts, lacks) if facts and row.is_open else None,
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
