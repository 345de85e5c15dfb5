"""Who may decide in an incident, and the refusals a person reads."""

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from incidents.evidence import Missing
from incidents.models import Incident
from novaops import environment
from novaops.access.policy import Verb, can
from novaops.environment import Environment


class Refused(Exception):
    """A decision is not taken; `reasons` say why, each with its mend."""

    def __init__(self, sentence: str, reasons: list[Missing] | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.reasons = reasons or []


class Conflict(Refused):
    """Somebody changed the incident since the form was opened; nothing was saved."""

    def __init__(self, incident: Incident) -> None:
        super().__init__("Somebody changed it since you opened the form. Nothing was saved yet.")
        self.incident = incident


class Joined(Refused):
    """It became a part of another incident: decisions are taken there."""

    def __init__(self, incident: Incident, into: Incident) -> None:
        super().__init__(f"{incident.name} was merged into {into.name}: work there.")
        self.into = into


def expect(incident: Incident, version: int | None) -> None:
    """Raise Conflict where a form shows another version than the incident's; None where no form asked."""
    if version is not None and version != incident.version:
        raise Conflict(incident)


def changed(incident: Incident, *fields: str) -> None:
    """Save these fields as the next version."""
    incident.version += 1
    incident.save(update_fields=[*fields, "version"])


def permit(by: User | None, verb: Verb, where: Environment | None) -> None:
    """Raise PermissionDenied with the sentence of the policy; NovaOps itself (None) may always."""
    if by is None:
        return
    verdict = can(by, verb, where)
    if not verdict.allowed:
        raise PermissionDenied(verdict.sentence)


def where(incident: Incident) -> Environment:
    """The incident's environment. Raises Refused where nova.toml no longer declares it."""
    found = environment.get(incident.environment)
    if found is None:
        raise Refused(f"The environment {incident.environment!r} is no longer declared in nova.toml.")
    return found


def locked(number: int, *, by: User | None, verb: Verb) -> tuple[Incident, Environment]:
    """The incident for a decision of `by`, locked until the end of the transaction. Raises Http404 where none is."""
    rows = Incident.objects.select_for_update(of=("self",), no_key=True).select_related("commander")
    incident = get_object_or_404(rows, number=number)
    place = where(incident)
    permit(by, verb, place)
    if incident.merged_into:
        raise Joined(incident, incident.merged_into)
    return incident, place
