"""What `/nova` in Slack does: declares an incident or says how things stand; it approves nothing."""

import re
from collections.abc import Sequence

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from dashboard import overview
from incidents import declaring
from incidents.drafting import marked
from incidents.guard import Refused
from incidents.models import Incident, SlackPerson
from incidents.severity import SEVERITIES
from novaops.access.policy import Verb, can
from novaops.environment import SERVICE_KINDS, Environment

HELP = (
    "/nova status: how Nova is, and which incidents are open\n"
    f"/nova declare sev2 api,cache What is wrong: declares an incident. Severities: {', '.join(SEVERITIES).lower()}. "
    f"Services: {', '.join(SERVICE_KINDS)}."
)
DECLARE = re.compile(r"(sev[1-4])\s+([a-z]+(?:,[a-z]+)*)\s+(\S.*)", re.IGNORECASE | re.DOTALL)
SHOWN = 10


def answer(places: Sequence[Environment], slack_user: str, text: str) -> str:
    """Do what was typed as the account that the person in Slack has, and say what came of it."""
    person = SlackPerson.objects.filter(slack_user=slack_user).select_related("user").first()
    if person is None:
        return f"NovaOps does not know who {slack_user} is: ask an admin to add you under Slack people."
    word, _, rest = text.strip().partition(" ")
    place, rest = _chosen(places, rest.strip())
    match word.lower():
        case "status":
            return _status(place, person.user)
        case "declare":
            return _declare(place, person.user, rest)
    return HELP


def _chosen(places: Sequence[Environment], rest: str) -> tuple[Environment, str]:
    """The environment that the first word names, where several share the workspace; else the first."""
    word, _, after = rest.partition(" ")
    for place in places:
        if place.name == word.lower():
            return place, after.strip()
    return places[0], rest


def _status(place: Environment, user: User) -> str:
    if not (verdict := can(user, Verb.VIEW, place)):
        return verdict.sentence
    found = Incident.objects.filter(environment=place.name, state=Incident.State.OPEN).select_related("commander")
    lines = [
        marked(
            incident,
            f"{incident.severity} {incident.name} {incident.title}, commander: {incident.commander or 'nobody yet'} "
            f"{_url(incident)}",
        )
        for incident in found.order_by("severity", "-number")[:SHOWN]
    ]
    return "\n".join([f"{place.title}: {overview.build(place).verdict.sentence}", *(lines or ["No incident is open."])])


def _declare(place: Environment, user: User, rest: str) -> str:
    said = DECLARE.fullmatch(rest)
    if not said:
        return f"That is not understood.\n{HELP}"
    declaration = declaring.Declaration(
        environment=place,
        title=said[3],
        severity=said[1].upper(),
        services=tuple(dict.fromkeys(said[2].lower().split(","))),
        report=f"{said[3]} (told in Slack)",
    )
    try:
        incident = declaring.declare(declaration, by=user, via="slack")
    except declaring.Covered as covered:
        return f"{covered.sentence} {_url(covered.incident)} Declare it on the page if it is another one."
    except (Refused, PermissionDenied) as refusal:
        return str(refusal)
    return marked(incident, f"{incident.name} is declared as {incident.severity}: {incident.title} {_url(incident)}")


def _url(incident: Incident) -> str:
    return f"{settings.OWN_URL}{incident.get_absolute_url()}"
