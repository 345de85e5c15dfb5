"""What merging tells outside: who followed the merged incident is led to the other one, and it is closed there."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User

from incidents import drafting, telling
from incidents.models import Incident
from novaops.environment import Environment
from novaops.outbox.models import Message
from novaops.outbox.posting import Content, PagerDutyChange, PageUpdate, SlackText

Kind = Message.Kind
ELSEWHERE = "This is a part of another problem, which has its own entry here: “{name}”. Follow it there."


@dataclass(frozen=True, kw_only=True)
class Parting:
    """A message of the merge, with the incident whose thread, entry or page it belongs to."""

    of: Incident
    kind: str
    content: Content


def only_its(source: Incident, target: Incident, place: Environment) -> list[str]:
    """The incidents at PagerDuty that `source` has and `target` has not, before the two are joined."""
    kept = set(telling.at_pagerduty(target))
    return [name for name in telling.at_pagerduty(source) if name not in kept] if place.pagerduty else []


def tell(source: Incident, target: Incident, place: Environment, named: list[str], *, by: User) -> list[Message]:
    """Queue what the merge tells, once: in the merging transaction, after the two were joined."""
    if telling.silenced(target, place):
        return []
    return [
        telling.queue(target, place, one.kind, one.content, by, f"merged:{source.number}", of=one.of)
        for one in _partings(source, target, place, named)
    ]


def _partings(source: Incident, target: Incident, place: Environment, named: list[str]) -> Iterator[Parting]:
    yield from _on_slack(source, target, place)
    yield from _on_page(source, target, place)
    for name in named:
        note = f"{source.name} was merged into {target.name}: {target.title} {_url(target)}"
        yield Parting(of=source, kind=f"pd-note:{name}", content=PagerDutyChange(incident=name, what="note", text=note))
        yield Parting(of=source, kind=f"pd:{name}", content=PagerDutyChange(incident=name, what="resolve"))


def _on_slack(source: Incident, target: Incident, place: Environment) -> Iterator[Parting]:
    if place.slack and telling.has_thread(source):
        text = f"{source.name} {source.title} was merged into {target.name} {target.title}. Follow it there: "
        yield Parting(of=source, kind="slack", content=SlackText(text=f"{text}{_url(target)}", reply=True))
    if place.slack and telling.has_thread(target):
        text = f"{source.name} {source.title} was merged into this."
        yield Parting(of=target, kind="slack", content=SlackText(text=text, reply=True))


def _on_page(source: Incident, target: Incident, place: Environment) -> Iterator[Parting]:
    """Resolve the merged one's entry; people who read it find the other one, which is opened where there is none."""
    theirs = opened_on_page(source)
    if not (place.status_page and theirs):
        return
    draft = drafting.draft(target, place, [])
    there = opened_on_page(target)
    if not there:
        states = drafting.components(target, draft.page_status)
        first = PageUpdate(name=draft.page_name, status=draft.page_status, text=draft.page, services=states)
        yield Parting(of=target, kind="page", content=first)
    text = ELSEWHERE.format(name=there or draft.page_name)
    # The components are left as they are: what they show is the other incident's to say.
    yield Parting(of=source, kind="page", content=PageUpdate(name=theirs, status="resolved", text=text))


def opened_on_page(incident: Incident) -> str:
    """What its entry on the status page is called; empty where none was opened, or will be."""
    lane = telling.lane(incident, "page")
    opening = Message.objects.filter(lane=lane, kind=Kind.STATUSPAGE, operation="create").exclude(state="failed")
    first = opening.order_by("pk").first()
    return str(first.payload["name"]) if first else ""


def preview(source: Incident, place: Environment) -> list[str]:
    """What merging it into whichever other one will tell, as sentences."""
    said = []
    if place.slack and telling.has_thread(source):
        said.append("Slack: its thread says where to follow on.")
    if place.status_page and (name := opened_on_page(source)):
        said.append(
            f"Status page: “{name}” is resolved and refers to the other one, which is opened if it is not there."
        )
    if place.pagerduty:
        said += [
            f"PagerDuty: {name} gets a note and is resolved, unless the other one has it, too."
            for name in telling.at_pagerduty(source)
        ]
    return said


def _url(incident: Incident) -> str:
    return f"{settings.OWN_URL}{incident.get_absolute_url()}"
