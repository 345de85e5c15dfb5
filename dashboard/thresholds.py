"""Thresholds as an environment has them: the runbook's, changed by nova.toml, changed by an administrator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from dashboard import alerts, samples
from dashboard.alerts import Firing
from dashboard.models import Series, Threshold
from dashboard.services.base import Rule, Service, services
from novaops.access.policy import Verb, can
from novaops.audit import chain
from novaops.audit.models import Entry
from novaops.environment import Environment

CHANGED = "threshold.changed"
RESET = "threshold.reset"
# So far back a changed rule is tried on what was collected.
TRIED_ON = timedelta(days=7)
MOST_CHANGES = 20


class Refused(Exception):
    """Nothing was changed; the message says why."""


def changed(environment: Environment) -> dict[str, Threshold]:
    """What administrators changed in the environment, by rule."""
    return {one.rule: one for one in Threshold.objects.filter(environment=environment.name)}


def rules(service: Service, environment: Environment, changes: Mapping[str, Threshold]) -> tuple[Rule, ...]:
    """The rules of a service as they hold in the environment, where `changes` is what `changed` told."""
    return tuple(_applied(rule, changes.get(rule.key)) for rule in service.rules_in(environment))


def _applied(rule: Rule, change: Threshold | None) -> Rule:
    return rule.at(change.value, change.for_s) if change else rule


def find(key: str, environment: Environment) -> tuple[Service, Rule] | None:
    """The rule of that key without what administrators changed, and its service; None where there is none."""
    found = ((service, rule) for service in services.values() for rule in service.rules_in(environment))
    return next(((service, rule) for service, rule in found if rule.key == key), None)


def change(environment: Environment, rule: Rule, *, value: float, for_s: int, by: User, reason: str) -> None:
    """Let the rule have another threshold and duration there, from the next round on. Raises Refused."""
    _refuse_unless_permitted(environment, by)
    with transaction.atomic():
        before = Threshold.objects.select_for_update().filter(environment=environment.name, rule=rule.key).first()
        now = _applied(rule, before)
        if (now.threshold, now.for_s) == (value, for_s):
            raise Refused("It has this threshold already. Nothing changed.")
        Threshold.objects.update_or_create(
            environment=environment.name,
            rule=rule.key,
            defaults={
                "value": value,
                "for_s": for_s,
                "changed_by": by.get_username(),
                "changed_at": timezone.now(),
            },
        )
        _record(CHANGED, environment, now, rule.at(value, for_s), by, reason)


def reset(environment: Environment, rule: Rule, *, by: User, reason: str) -> None:
    """Let the rule have again what nova.toml or the runbook says. Raises Refused."""
    _refuse_unless_permitted(environment, by)
    with transaction.atomic():
        before = Threshold.objects.select_for_update().filter(environment=environment.name, rule=rule.key).first()
        if before is None:
            raise Refused("It has no other threshold than declared. Nothing changed.")
        before.delete()
        _record(RESET, environment, _applied(rule, before), rule, by, reason)


def _record(verb: str, environment: Environment, before: Rule, after: Rule, by: User, reason: str) -> None:
    detail = {"from": _numbers(before), "to": _numbers(after)}
    chain.record(verb, by=by, subject=after.key, environment=environment.name, reason=reason, detail=detail)


def _numbers(rule: Rule) -> dict[str, float]:
    return {"threshold": rule.threshold, "for_s": rule.for_s}


def _refuse_unless_permitted(environment: Environment, by: User) -> None:
    verdict = can(by, Verb.SETTINGS, environment)
    if not verdict:
        raise Refused(verdict.sentence)


def history(environment: Environment, rule: str) -> list[Entry]:
    """Who changed the rule there, the newest first."""
    entries = Entry.objects.filter(verb__in=(CHANGED, RESET), environment=environment.name, subject=rule)
    return list(entries[:MOST_CHANGES])


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How often a rule would have fired on what was collected since `since`; None where nothing was."""

    firings: list[tuple[str, Firing]]
    since: datetime | None

    @property
    def times(self) -> int:
        return len(self.firings)


def trial(environment: Environment, service: Service, rule: Rule, now: datetime) -> Trial:
    """Judge the samples of the last days by the rule, exactly as they would have been judged when they came."""
    declared = next(series for series in service.series_in(environment) if series.name == rule.series)
    rows = Series.objects.filter(environment=environment.name, service=service.kind, name=rule.series)
    nodes = {row.pk: row.resource for row in rows}
    found = samples.window(nodes, now - TRIED_ON)
    timing = alerts.Timing.of(declared, environment)
    firings = [(nodes[pk], firing) for pk, points in found.items() for firing in alerts.replay(points, rule, timing)]
    return Trial(
        firings=sorted(firings, key=lambda one: one[1].fired_at, reverse=True),
        since=min((points[0].at for points in found.values()), default=None),
    )
