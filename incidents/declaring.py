"""Declaring an incident: from an alert or from what a person saw, once for each cause."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from dashboard.models import Alert
from incidents import drills, health
from incidents.evidence import Evidence
from incidents.guard import Refused, permit
from incidents.links import link_alert, link_what_is_there
from incidents.models import ChecklistItem, ChecklistStep, Incident
from incidents.severity import FOR_ALERT, SEVERITIES
from incidents.steps import STEPS, StepKey, filled
from incidents.timeline import Kind, append, publish
from novaops.access.policy import Verb, can
from novaops.audit import chain
from novaops.environment import SERVICE_KINDS, Environment

# Any constant works: it only has to be the same for everybody who declares.
DECLARE_LOCK = 7_340_112


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a person (or an alert) says when declaring; `report` is a person's own observation."""

    environment: Environment
    title: str
    severity: str
    services: tuple[str, ...]
    impact: str = ""
    started_at: datetime | None = None
    report: str = ""
    alert: Alert | None = None

    @property
    def dedup_key(self) -> str:
        return self.alert.dedup_key if self.alert else ""


def of_alert(alert: Alert, environment: Environment) -> Declaration:
    """What an alert says by itself."""
    severity = FOR_ALERT.get(alert.severity, "SEV3")
    return Declaration(
        environment=environment,
        title=alert.title,
        severity=severity,
        # What NovaOps cannot see well is no service of Nova's.
        services=(alert.service,) if alert.service in SERVICE_KINDS else (),
        alert=alert,
    )


class Covered(Refused):
    """An open incident already covers what was to be declared."""

    def __init__(self, incident: Incident, *, same_cause: bool = False) -> None:
        super().__init__(f"{incident.name} is open for this: {incident.title}")
        self.incident = incident
        self.same_cause = same_cause


def same_cause(environment: str, dedup_key: str) -> Incident | None:
    """The open incident of that cause, its own or that of one merged into it."""
    cause = Q(dedup_key=dedup_key) | Q(merged__dedup_key=dedup_key)
    open_here = Incident.objects.filter(environment=environment, state=Incident.State.OPEN)
    return open_here.filter(cause).first() if dedup_key else None


def covering(environment: str, services: tuple[str, ...]) -> Incident | None:
    """The newest open incident that affects one of the services."""
    open_here = Incident.objects.filter(environment=environment, state=Incident.State.OPEN)
    return open_here.filter(services__overlap=list(services)).first()


@transaction.atomic
def declare(declaration: Declaration, *, by: User | None, anyway: bool = False, via: str = "page") -> Incident:
    """Open an incident with its checklist; an alert fills Detect with its evidence.

    Raises Covered where an open incident has the same cause, and unless `anyway` where one affects the same service.
    """
    permit(by, Verb.JOIN, declaration.environment)
    _check(declaration)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DECLARE_LOCK])
    name = declaration.environment.name
    if there := same_cause(name, declaration.dedup_key):
        raise Covered(there, same_cause=True)
    if not anyway and (there := covering(name, declaration.services)):
        raise Covered(there)
    incident = _opened(declaration, by, via)
    drills.claim(incident)
    _lay_checklist(incident, declaration.environment)
    _tell_opening(incident, declaration, by)
    publish(incident)
    detail = {
        "severity": incident.severity,
        "services": incident.services,
        "alert": getattr(declaration.alert, "pk", None),
    }
    chain.record(
        "incident.declared",
        by=by,
        subject=str(incident),
        environment=incident.environment,
        incident=incident.number,
        via=via,
        detail=detail,
    )
    return incident


def _check(declaration: Declaration) -> None:
    if declaration.severity not in SEVERITIES:
        raise Refused("Choose a severity by its definition.")
    if set(declaration.services) - set(SERVICE_KINDS):
        raise Refused("Choose from the services of the environment.")
    if not declaration.alert and not declaration.report.strip():
        raise Refused("Say what was seen: without an alert, the report is what detects the incident.")
    if declaration.started_at and declaration.started_at > timezone.now() + timedelta(minutes=1):
        raise Refused("The start lies in the future: give the time in UTC.")


def _opened(declaration: Declaration, by: User | None, via: str) -> Incident:
    now, alert = timezone.now(), declaration.alert
    newest = Incident.objects.order_by("-number").values_list("number", flat=True).first() or 0
    return Incident.objects.create(
        number=newest + 1,
        environment=declaration.environment.name,
        title=" ".join(declaration.title.split())[:200],
        severity=declaration.severity,
        services=list(declaration.services),
        impact=declaration.impact,
        dedup_key=declaration.dedup_key,
        # Who sent a token is not there to command, and nobody has taken it yet.
        commander=by if via == "page" and by and can(by, Verb.COMMAND, declaration.environment).allowed else None,
        declared_by=by,
        declared_at=now,
        started_at=declaration.started_at or (alert.started_at if alert else now),
        detected_at=alert.fired_at if alert else now,
        acknowledged_at=now if by and not via.startswith("api:") else None,
    )


def _lay_checklist(incident: Incident, environment: Environment) -> None:
    rows = ChecklistStep.objects.bulk_create(
        ChecklistStep(incident=incident, key=step.key, position=position, words=filled(step.words, environment))
        for position, step in enumerate(STEPS, 1)
    )
    ChecklistItem.objects.bulk_create(
        ChecklistItem(step=row, position=position, text=filled(text, environment))
        for row, step in zip(rows, STEPS, strict=True)
        for position, text in enumerate(step.items, 1)
    )


def _tell_opening(incident: Incident, declaration: Declaration, by: User | None) -> None:
    if declaration.alert:
        link_alert(incident, declaration.alert)
    if declaration.report.strip():
        append(incident, Kind.NOTE, declaration.report.strip(), by=by, data={"report": True}, starred=True)
    append(incident, Kind.STATE, f"Declared as {incident.severity}", by=by, starred=True)
    if incident.commander:
        append(incident, Kind.ROLE, f"{incident.commander} took command", by=by, data={"role": "commander"})
    health.attach_snapshot(incident, declaration.environment)
    link_what_is_there(incident)
    piece = Evidence(
        kind="alert" if declaration.alert else "report",
        at=incident.detected_at or incident.declared_at,
        text=_detected_by(declaration),
    )
    incident.steps.filter(key=StepKey.DETECT).update(
        state=ChecklistStep.State.DONE,
        done_at=incident.declared_at,
        done_by=by,
        evidence=[piece.as_json()],
    )


def _detected_by(declaration: Declaration) -> str:
    return (
        f"{declaration.alert.title}: {declaration.alert.sentence}" if declaration.alert else declaration.report.strip()
    )
