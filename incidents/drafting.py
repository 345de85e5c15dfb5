"""What people are to be told, drafted from the facts of an incident; people edit it before it leaves."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.text import Truncator

from dashboard.rehearsals import MARK
from incidents import health
from incidents.measures import duration
from incidents.models import Incident, TimelineEntry
from incidents.steps import StepKey
from novaops.environment import SERVICE_KINDS, Environment, ServiceKind
from novaops.outbox.posting import ComponentState, PageStatus

# What a severity means for a component of the status page.
COMPONENTS: dict[str, ComponentState] = {
    "SEV1": "major_outage",
    "SEV2": "partial_outage",
    "SEV3": "degraded_performance",
    "SEV4": "operational",
}
PAGE_WORDS: dict[PageStatus, str] = {
    "investigating": "We are investigating a problem with {what}.",
    "identified": "We know what causes the problem with {what} and work on it.",
    "monitoring": "The problem with {what} is mitigated; we keep watching.",
    "resolved": "The problem with {what} is resolved.",
}
LONGEST_DONE = 5
# What of the key moments a summary tells: it is read out, or pasted into a chat.
MOST_KEY = 20
LONGEST_KEY = 300


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message for each system, as it would be sent now; `what` names what is affected."""

    what: str
    slack: str
    page_name: str
    page_status: PageStatus
    page: str


def draft(incident: Incident, environment: Environment, done: list[str], url: str = "") -> Draft:
    """The next messages; `done` are the sentences of the actions so far, `url` leads to the room."""
    status = page_status(incident)
    what = _spoken(health.titles(incident.services)) or "Nova"
    page = " ".join(filter(None, [PAGE_WORDS[status].format(what=what), _impact(incident), _lasted(incident)]))
    return Draft(
        what=what,
        slack=_slack(incident, environment, done, url),
        page_name=marked(incident, f"Problem with {what}"),
        page_status=status,
        page=marked(incident, page),
    )


def marked(incident: Incident, text: str) -> str:
    """The text with the mark of a drill, where the incident is one and people left it out."""
    return f"{MARK}{text}" if incident.is_drill and text and not text.startswith(MARK) else text


def page_status(incident: Incident) -> PageStatus:
    """How far it has come, in the status page's words."""
    if not incident.is_open:
        return "resolved"
    closed = {step.key for step in incident.steps.all() if not step.is_open}
    if StepKey.MITIGATE in closed:
        return "monitoring"
    return "identified" if StepKey.ASSESS in closed else "investigating"


def components(incident: Incident, status: PageStatus) -> dict[ServiceKind, ComponentState]:
    """What the page shows for each affected service."""
    state = "operational" if status == "resolved" else COMPONENTS[incident.severity]
    return {kind: state for kind in SERVICE_KINDS if kind in incident.services}


def key_moments(incident: Incident) -> list[TimelineEntry]:
    """The entries that people or NovaOps starred, oldest first; of very many, the newest."""
    starred = incident.timeline.filter(starred=True).order_by("-at", "-id").defer("data")
    return list(starred[: MOST_KEY + 1])[::-1]


def summary(incident: Incident, environment: Environment, entries: list[TimelineEntry], url: str = "") -> str:
    """Where the incident stands, for somebody who was not there: a few lines to read out or to paste."""
    key = [f"- {entry.at:%H:%M} {Truncator(entry.text).chars(LONGEST_KEY)}" for entry in entries[-MOST_KEY:]]
    earlier = ["- earlier ones are in the room"] if len(entries) > MOST_KEY else []
    now = timezone.now()
    lines = [
        _headline(incident, environment),
        f"State: {_state(incident, now)}",
        f"Affected: {', '.join(health.titles(incident.services)) or 'not set yet'}",
        f"Impact: {incident.impact or 'not stated yet'}",
        f"Commander: {incident.commander or 'nobody yet'}{_others(incident)}",
        f"Next update: {_next(incident)}",
        *(["Key moments (UTC):", *earlier, *key] if key else []),
        url,
    ]
    return "\n".join(filter(None, lines))


def _slack(incident: Incident, environment: Environment, done: list[str], url: str) -> str:
    lines = [
        _headline(incident, environment),
        f"{_state(incident, timezone.now())}. Affected: {', '.join(health.titles(incident.services)) or 'not set yet'}",
        f"Impact: {incident.impact}" if incident.impact else "",
        *(f"Done: {sentence}" for sentence in done[-LONGEST_DONE:]),
        f"Commander: {incident.commander or 'nobody yet'}. Next update: {_next(incident)}" if incident.is_open else "",
        url,
    ]
    return "\n".join(filter(None, lines))


def _headline(incident: Incident, environment: Environment) -> str:
    return marked(incident, f"{incident.severity} {incident.name} {incident.title} ({environment.title})")


def _state(incident: Incident, now: datetime) -> str:
    if incident.resolved_at:
        return f"Resolved at {incident.resolved_at:%H:%M} UTC after {_length(incident, incident.resolved_at)}"
    word = {"investigating": "Investigating", "identified": "Cause known", "monitoring": "Mitigated, watching"}
    return f"{word.get(page_status(incident), 'Open')}, for {_length(incident, now)}"


def _length(incident: Incident, until: datetime) -> str:
    return duration(max((until - incident.started_at).total_seconds(), 0))


def _next(incident: Incident) -> str:
    """When people will hear again: counted from now, as this message is the one before."""
    every = incident.grade.update_every
    if not incident.is_open or every is None:
        return "none is promised"
    return f"by {timezone.now() + every:%H:%M} UTC"


def _impact(incident: Incident) -> str:
    return incident.impact.rstrip(".") + "." if incident.impact else ""


def _lasted(incident: Incident) -> str:
    return f"It lasted {_length(incident, incident.resolved_at)}." if incident.resolved_at else ""


def _others(incident: Incident) -> str:
    held = [f"{role.get_name_display().lower()}: {role.user}" for role in incident.roles.all() if role.until is None]
    return f" ({', '.join(held)})" if held else ""


def _spoken(words: tuple[str, ...]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
