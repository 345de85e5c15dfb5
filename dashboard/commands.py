"""What the command palette finds: pages, services, open incidents, actions as this user may use them, recent runs."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET

from dashboard.context_processors import asked
from dashboard.services.base import services
from novaops import environment as declared
from novaops.access.decorators import requires, user_of
from novaops.access.policy import Verb
from novaops.environment import SERVICE_KINDS, Environment
from novaops.runbook import offers
from novaops.runbook.models import Run
from novaops.runbook.offers import Offer

# The pages as people look for them, with other words for the same.
PAGES = (
    ("dashboard:overview", "Overview", "home tiles verdict"),
    ("dashboard:alerts", "Alerts", "firing silences witnesses"),
    ("dashboard:maintenance", "Maintenance", "window mute planned work"),
    ("dashboard:webhooks", "Webhooks", "settings sns pagerduty deliveries sources"),
    ("dashboard:services", "Services", "api database redis events charts"),
    ("incidents:new", "Declare an incident", "new"),
    ("incidents:list", "Incidents", "all"),
    ("learning:library", "Post-mortems", "documents reviews library"),
    ("learning:follow_ups", "Follow-ups", "action items"),
    ("learning:lessons", "Learning", "mttd mtta mttm mttr statistics alert noise"),
    ("outbox:messages", "Messages", "slack status page pagerduty told outbox"),
    ("incidents:slack_people", "Slack people", "settings members nova command"),
    ("runbook:runs", "Runs", "history"),
    ("runbook:catalogue", "Actions", "catalogue runbook"),
    ("runbook:approvals", "Approvals", "inbox second person"),
    ("runbook:controls", "Controls", "stop switch freeze undo put back"),
    ("runbook:audit", "Audit", "chain log"),
    ("dashboard:thresholds", "Rules and thresholds", "settings alerts"),
    ("backups:list", "Backups", "snapshots restore"),
    ("backups:restores", "Restores and drills", "rehearsal certificate rto rpo left over"),
    ("backups:restore-new", "Restore the database", "wizard point in time snapshot"),
    ("dashboard:vitals", "NovaOps itself", "vitals beat worker queue collector health"),
    ("sandbox:scenarios", "Sandbox", "scenarios"),
)
MOST = 8
RECENT_RUNS = 50


@dataclass(frozen=True, kw_only=True)
class Command:
    """Something to go to. An action carries its offer, with the reason why not; `words` are only searched.

    What is `only_asked` is left out until something is typed.
    """

    title: str
    url: str
    detail: str = ""
    words: str = ""
    status: str = ""
    offer: Offer | None = None
    only_asked: bool = False

    def matches(self, wanted: list[str]) -> bool:
        """Whether every wanted word is somewhere in it."""
        found = f"{self.title} {self.detail} {self.words}".lower()
        return all(word in found for word in wanted) and not (self.only_asked and not wanted)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Commands of one kind."""

    title: str
    commands: list[Command] = field(default_factory=list)


# How other apps add what is open in an environment, such as incidents.
open_things: list[Callable[[Environment], Iterable[Command]]] = []


@require_GET
@requires(Verb.VIEW)
def commands(request: HttpRequest) -> HttpResponse:
    """The palette as a page, or only its list for the open palette."""
    query = request.GET.get("q", "").strip()
    groups = find(query, asked(request), user_of(request))
    part = request.headers.get("HX-Request")
    template = "dashboard/_commands.html" if part else "dashboard/commands.html"
    return render(request, template, {"query": query, "groups": groups, "environment": asked(request)})


def find(query: str, environment: Environment, user: User) -> list[Group]:
    """What matches every word of the query, by kind; titles that begin with it come first. Empty kinds are left out."""
    kinds = {
        "Open incidents": (one for of in open_things for one in of(environment)),
        "Pages": _pages(environment),
        "Services": _services(environment),
        "Actions": _actions(environment, user),
        "Recent runs": _runs(environment),
    }
    groups = (Group(title=title, commands=_best(query, found)) for title, found in kinds.items())
    return [group for group in groups if group.commands]


def _best(query: str, found: Iterable[Command]) -> list[Command]:
    wanted = query.lower().split()
    matching = [command for command in found if command.matches(wanted)]
    return sorted(matching, key=lambda command: not command.title.lower().startswith(query.lower()))[:MOST]


def _pages(environment: Environment) -> Iterator[Command]:
    for name, title, words in PAGES:
        try:
            yield Command(title=title, url=_in(environment, reverse(name)), words=words)
        except NoReverseMatch:
            continue


def _services(environment: Environment) -> Iterator[Command]:
    for kind in SERVICE_KINDS:
        url = _in(environment, reverse("dashboard:service", args=[kind]))
        yield Command(title=services[kind].title, url=url, detail=environment.target(kind), words=kind)


def _actions(environment: Environment, user: User) -> Iterator[Command]:
    for kind in SERVICE_KINDS:
        for offer in offers.of_service(user, kind, environment):
            words = f"{services[kind].title} {offer.action_key} {offer.risk}"
            yield Command(title=offer.title, url=offer.url, detail=offer.target, words=words, offer=offer)


def _runs(environment: Environment) -> Iterator[Command]:
    for run in Run.objects.filter(environment=environment.name).select_related("requested_by")[:RECENT_RUNS]:
        yield Command(
            title=f"{run.title} on {run.target}",
            url=run.get_absolute_url(),
            detail=f"run {run.pk} by {run.requested_by}",
            words=run.reason,
            status=run.status,
        )


def _in(environment: Environment, url: str) -> str:
    """The address, with the environment where there are several."""
    return f"{url}?{urlencode({'environment': environment.name})}" if len(declared.environments()) > 1 else url
