"""Silences and maintenance: who is not told of what, until when and why. The alerts themselves are never hidden."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils import timezone

from dashboard import witnesses
from dashboard.models import Alert, AlertState, Maintenance, Quiet, Silence
from dashboard.services.base import services
from novaops import live
from novaops.access.policy import Verb, can
from novaops.audit import chain
from novaops.environment import Environment

LONGEST = timedelta(days=7)
SHORTEST_REASON = 5
AHEAD = timedelta(days=90)


class Refused(Exception):
    """Nothing changed; the message says why."""


def standing_at(now: datetime) -> Q:
    """Which silences and windows stand at that time."""
    return Q(starts_at__lte=now, ends_at__gt=now, ended_at=None)


def silences(environment: str, now: datetime) -> QuerySet[Silence]:
    """Those that stand."""
    return Silence.objects.select_related("made_by").filter(standing_at(now), environment=environment)


def windows(environment: str, now: datetime) -> QuerySet[Maintenance]:
    """Those that stand or are to come."""
    coming = Q(ends_at__gt=now, ended_at=None)
    return Maintenance.objects.select_related("made_by").filter(coming, environment=environment)


def of_reading(now: datetime) -> Subquery:
    """The maintenance that stands on a reading's service, as {reason, starts_at, ends_at}."""
    found = Maintenance.objects.filter(
        standing_at(now), environment=OuterRef("environment"), service=OuterRef("service")
    ).order_by("-ends_at")
    told = JSONObject(reason=F("reason"), starts_at=F("starts_at"), ends_at=F("ends_at"))
    return Subquery(found.annotate(told=told).values("told")[:1])


def why_muted(alert: Alert, now: datetime) -> str:
    """Why nobody is told of the alert now; empty where people are."""
    window = Maintenance.objects.filter(standing_at(now), environment=alert.environment, service=alert.service).first()
    if window:
        return f"{services[alert.service].title} is in maintenance until {window.ends_at:%H:%M} UTC: {window.reason}"
    silence = covering(silences(alert.environment, now), alert)
    return f"Silenced by {silence.made_by} until {silence.ends_at:%H:%M} UTC: {silence.reason}" if silence else ""


def covering(found: Iterable[Silence], alert: Alert) -> Silence | None:
    """The first of the silences that covers the alert."""
    return next((one for one in found if one.rule == alert.rule and one.resource in ("", alert.resource)), None)


def silence(environment: Environment, alert: Alert, *, reason: str, ends_at: datetime, by: User) -> Silence:
    """Let nobody be told of the alert's rule until then. Raises Refused."""
    now = timezone.now()
    _refuse_unless_permitted(by, Verb.SILENCE, environment)
    reason = _reason(reason)
    if not now < ends_at <= now + LONGEST:
        raise Refused(f"A silence ends in the future, within {LONGEST.days} days. Nothing changed.")
    with transaction.atomic():
        if covering(silences(environment.name, now).select_for_update(of=("self",)), alert):
            raise Refused("It is silenced already. Nothing changed.")
        made = Silence.objects.create(
            environment=environment.name,
            service=alert.service,
            rule=alert.rule,
            title=alert.title,
            resource=alert.resource,
            reason=reason,
            made_by=by,
            starts_at=now,
            ends_at=ends_at,
        )
        _record("alert.silenced", made, by, reason)
    return made


def plan_maintenance(
    environment: Environment, service: str, *, reason: str, starts_at: datetime, ends_at: datetime, by: User
) -> Maintenance:
    """Say that a service is worked on from then to then. Raises Refused."""
    now = timezone.now()
    _refuse_unless_permitted(by, Verb.COMMAND, environment)
    reason, starts_at = _reason(reason), max(starts_at, now)
    if not starts_at < ends_at <= starts_at + LONGEST or starts_at > now + AHEAD:
        raise Refused(f"A window ends after it starts, within {LONGEST.days} days. Nothing changed.")
    with transaction.atomic():
        made = Maintenance.objects.create(
            environment=environment.name,
            service=service,
            reason=reason,
            made_by=by,
            starts_at=starts_at,
            ends_at=ends_at,
        )
        _record("maintenance.planned", made, by, reason)
    return made


def end(one: Silence | Maintenance, environment: Environment, *, by: User) -> None:
    """End a silence or a window before its time. Raises Refused."""
    verb = Verb.SILENCE if isinstance(one, Silence) else Verb.COMMAND
    _refuse_unless_permitted(by, verb, environment)
    now = timezone.now()
    with transaction.atomic():
        mine = type(one)._default_manager.filter(pk=one.pk, ended_at=None, ends_at__gt=now)
        if not mine.update(ended_at=now, ended_by=by):
            raise Refused("It is over already.")
        _record("silence.lifted" if isinstance(one, Silence) else "maintenance.ended", one, by, "")


def close(alert: Alert, environment: Environment, *, reason: str, by: User) -> None:
    """Say that an alert is over which nobody outside ends: their word was lost. Raises Refused."""
    _refuse_unless_permitted(by, Verb.SILENCE, environment)
    reason = _reason(reason)
    with transaction.atomic():
        witnesses.hold(environment.name)
        mine = Alert.objects.filter(pk=alert.pk, state=AlertState.FIRING).first()
        if mine is None:
            raise Refused("It is over already.")
        if not witnesses.only_outside(mine):
            raise Refused("NovaOps measures it itself: it clears when the rule does. Silence it instead.")
        witnesses.clear(mine, timezone.now())
        live.publish(f"overview:{environment.name}")
        chain.record("alert.closed", by=by, subject=alert.title, environment=environment.name, reason=reason)


def _record(verb: str, one: Quiet, by: User, reason: str) -> None:
    live.publish(f"overview:{one.environment}")
    span = {"from": one.starts_at.isoformat(), "until": one.ends_at.isoformat()}
    chain.record(verb, by=by, subject=str(one), environment=one.environment, reason=reason, detail=span)


def _reason(told: str) -> str:
    reason = told.strip()[:300]
    if len(reason) < SHORTEST_REASON:
        raise Refused(f"Say why, in at least {SHORTEST_REASON} characters. Nothing changed.")
    return reason


def _refuse_unless_permitted(by: User, verb: Verb, environment: Environment) -> None:
    verdict = can(by, verb, environment)
    if not verdict:
        raise Refused(verdict.sentence)
