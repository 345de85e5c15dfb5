"""One round of collection over an environment: ask everything once, keep what it says, judge the rules."""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from dashboard import alarms, alerts, deployments, metrics, models, samples, thresholds
from dashboard.asking import BROKEN, Answer, ask_all
from dashboard.metrics import Wanted
from dashboard.samples import Key, Value
from dashboard.services.base import CLOUDWATCH, Asking, Observation, Service, Source, services
from dashboard.services.novaops import NovaOps, told
from novaops import live, watching
from novaops.cloud import aws, cloudwatch
from novaops.cloud.cloudwatch import Answer as MetricAnswer
from novaops.environment import Environment
from novaops.watching import Note

logger = logging.getLogger(__name__)

# The fact of a reading under which the notes of other apps stand.
NOTES = "notes"
# What is read of the past to judge rules, beyond the longest duration.
SLACK = timedelta(minutes=10)
# How much of the past says how a series goes on.
TREND = timedelta(hours=24)
# Under this key the facts of a reading keep when each source last told something.
TOLD_AT = "told_at"


@dataclass(kw_only=True)
class Seen:
    """What one round learnt of one service."""

    service: Service
    before: models.Reading | None
    columns: dict[str, dict[datetime, float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def put(self, label: str, at: datetime, value: float) -> None:
        if math.isfinite(value):
            self.columns.setdefault(label, {})[at] = float(value)


def collect(environment: Environment, *, early: bool = False) -> models.Round | None:
    """Make one round where the environment is due (or `early`) and nobody else is at it; None otherwise."""
    token = models.Lease.claim(environment.name, environment.collect_every_s, early=early)
    if not token:
        return None
    try:
        return _round(environment, token, timezone.now())
    finally:
        models.Lease.release(environment.name, token)


def limit_s(environment: Environment) -> float:
    """How long a source may take: most of the interval, and never so long that a dead one is worth waiting for."""
    return min(max(0.8 * environment.collect_every_s, 2.0), 10.0)


def _round(environment: Environment, token: int, started: datetime) -> models.Round | None:
    readings = {reading.service: reading for reading in models.Reading.objects.filter(environment=environment.name)}
    seen = {kind: Seen(service=service, before=readings.get(kind)) for kind, service in services.items()}
    wanted = _wanted(environment, seen)
    before = _latest(wanted)
    facts = {kind: reading.facts for kind, reading in readings.items()}
    names = alarms.due(environment, readings.get(NovaOps.kind), started)
    told, measured, alarmed = _ask(environment, wanted, facts, names, started)
    _keep_told(seen, told, started)
    _keep_measured(seen, measured)
    _keep_watched(environment, seen, started)
    _keep_own(environment, seen[NovaOps.kind], started)
    seen[NovaOps.kind].failed += alarms.failure(names, alarmed.failed)
    for one in seen.values():
        _complete(environment, one, wanted, before, started)
    with transaction.atomic():
        if not models.Lease.held(environment.name, token):
            return None
        done = _write(environment, seen, wanted, started, asked=measured.value is not None)
        alarms.reconcile(environment, alarmed.value or {}, started)
        return done


def _wanted(environment: Environment, seen: Mapping[str, Seen]) -> dict[Key, Wanted]:
    declared = {
        key: series
        for one in seen.values()
        for key, series in metrics.watched(one.service, environment, _nodes(one)).items()
    }
    rows = samples.series_of(environment.name, {key: series.unit for key, series in declared.items()})
    return {key: Wanted(key=key, declared=series, row=rows[key]) for key, series in declared.items()}


def _nodes(one: Seen) -> list[str]:
    return list(one.service.nodes(one.before.facts if one.before else {}))


def _latest(wanted: Mapping[Key, Wanted]) -> dict[Key, Value]:
    keys = {one.row.pk: key for key, one in wanted.items()}
    rows = models.Latest.objects.filter(series__in=keys)
    return {keys[row.series_id]: Value(row.at, row.value) for row in rows}


def _ask(
    environment: Environment,
    wanted: Mapping[Key, Wanted],
    facts: Mapping[str, dict[str, Any]],
    names: list[str],
    now: datetime,
) -> tuple[dict[tuple[str, str], Answer[Any]], Answer[Any], Answer[Any]]:
    """Ask every source at once. The answers by (service, source), and CloudWatch's of its metrics and these alarms."""
    asking = Asking(environment, facts)
    queries = {
        key: (metrics.query(services[key.service], environment, one), one.row.asked_until)
        for key, one in wanted.items()
        if one.declared.metric
    }
    sources = {
        f"{environment.name} {kind} {source.name}": (kind, source)
        for kind, service in services.items()
        for source in service.sources_in(environment)
    }
    questions: dict[str, Any] = {name: partial(source.read, asking) for name, (_, source) in sources.items()}
    ours, alarmed = f"{environment.name} {CLOUDWATCH}", f"{environment.name} {CLOUDWATCH} alarms"
    questions[ours] = partial(metrics.read, environment, queries, now)
    if names:
        questions[alarmed] = partial(cloudwatch.describe_alarms, environment, names)
    answers = ask_all(questions, limit_s(environment))
    told = {(kind, source.name): answers[name] for name, (kind, source) in sources.items()}
    return told, answers[ours], answers.get(alarmed, Answer())


def _keep_told(seen: Mapping[str, Seen], told: Mapping[tuple[str, str], Answer[Observation]], at: datetime) -> None:
    for (kind, source), answer in told.items():
        one, observation = seen[kind], answer.value or Observation(failed=answer.failed)
        if answer.value:
            one.facts.update(observation.facts)
            one.facts.setdefault(TOLD_AT, _told_at(one))[source] = at.isoformat()
        if observation.failed:
            one.failed.append(f"{source}: {observation.failed}")
        for label, value in observation.values.items():
            one.put(label, at, value)


def _told_at(one: Seen) -> dict[str, str]:
    """When each source last told something, as the reading before knew."""
    return dict(one.before.facts.get(TOLD_AT, {})) if one.before else {}


def _keep_measured(seen: Mapping[str, Seen], answer: Answer[dict[Key, MetricAnswer]]) -> None:
    if answer.value is None:
        for one in seen.values():
            one.failed.append(f"{CLOUDWATCH}: {answer.failed}")
        return
    for key, found in answer.value.items():
        one = seen[key.service]
        if found.failed and found.failed not in one.failed:
            one.failed.append(found.failed)
        for at, value in found.points.items():
            one.put(key.label, at, value)


def _keep_watched(environment: Environment, seen: Mapping[str, Seen], at: datetime) -> None:
    """What other apps know of a service. One that breaks loses its own numbers only."""
    for kind, one in seen.items():
        for share in watching.of_service(kind):
            try:
                told = share.read(environment, at)
            except Exception:
                logger.exception("Asking %s broke", share.source)
                one.failed.append(f"{share.source}: {BROKEN}")
                continue
            for (name, resource), value in told.values.items():
                one.put(Key(kind, name, resource).label, at, value)
            one.facts.setdefault(NOTES, []).extend(_noted(note) for note in told.notes)


def _noted(note: Note) -> dict[str, Any]:
    return {**vars(note), "at": note.at.isoformat() if note.at else ""}


def _keep_own(environment: Environment, one: Seen, at: datetime) -> None:
    """What AWS answered in this round, and that there was one."""
    for label, value in {**told(aws.take_tally(environment)), "missed_rounds": 0.0}.items():
        one.put(label, at, value)


def _complete(
    environment: Environment, one: Seen, wanted: Mapping[Key, Wanted], before: Mapping[Key, Value], now: datetime
) -> None:
    """Zeros where a counter is silent beside a series that speaks, then what follows from the values."""
    for key, watched in wanted.items():
        beside = watched.declared.zero_beside
        if key.service == one.service.kind and beside:
            own = one.columns.setdefault(key.label, {})
            for at in one.columns.get(Key(key.service, beside, key.resource).label, {}):
                own.setdefault(at, 0.0)
    earlier = {key.label: value for key, value in before.items() if key.service == one.service.kind}
    rows = {name: wanted[Key(one.service.kind, name)].row.pk for name in one.service.trends}
    slopes = samples.slopes(rows.values(), now - TREND) if rows else {}
    trends = {name: slopes[pk] for name, pk in rows.items() if pk in slopes}
    for columns in (one.service.derive(environment, one.columns, earlier), one.service.project(one.columns, trends)):
        for label, column in columns.items():
            for at, value in column.items():
                one.put(label, at, value)


def _write(
    environment: Environment, seen: Mapping[str, Seen], wanted: dict[Key, Wanted], started: datetime, *, asked: bool
) -> models.Round:
    points = {
        (wanted[key].row.pk, at): value
        for key in wanted
        for at, value in seen[key.service].columns.get(key.label, {}).items()
    }
    written = samples.write(points, started)
    if asked:
        end = metrics.last_period(started, environment.metric_period_s)
        asked_for = [one.row.pk for one in wanted.values() if one.declared.metric]
        models.Series.objects.filter(pk__in=asked_for).update(asked_until=end)
    _write_readings(environment, seen, wanted, started)
    deployments.keep(environment.name, {kind: one.facts for kind, one in seen.items()}, started)
    alerts.update(environment.name, _watch(environment, wanted, started), started)
    live.publish(f"overview:{environment.name}")
    return models.Round.objects.create(
        environment=environment.name,
        started_at=started,
        finished_at=timezone.now(),
        sources=sum(len(one.service.sources_in(environment)) for one in seen.values()) + 1,
        samples=written,
        failed=sorted({sentence for one in seen.values() for sentence in one.failed}),
    )


def _write_readings(
    environment: Environment, seen: Mapping[str, Seen], wanted: Mapping[Key, Wanted], started: datetime
) -> None:
    latest = _latest(wanted)
    sparks = _sparks(seen, wanted, started)
    readings = [
        models.Reading(
            environment=environment.name,
            service=kind,
            at=started,
            source=", ".join(_source_names(one.service.sources_in(environment))),
            values={
                key.label: _shown(environment, wanted[key], value)
                for key, value in latest.items()
                if key.service == kind
            },
            failed=one.failed,
            facts=_facts(one),
            spark=sparks.get(kind, []),
        )
        for kind, one in seen.items()
    ]
    models.Reading.objects.bulk_create(
        readings,
        update_conflicts=True,
        unique_fields=["environment", "service"],
        update_fields=["at", "source", "values", "failed", "facts", "spark"],
    )


def _sparks(seen: Mapping[str, Seen], wanted: Mapping[Key, Wanted], now: datetime) -> dict[str, list[float | None]]:
    """The line of each service's tile, read once a round instead of once a page."""
    keys = {kind: Key(kind, one.service.spark, one.service.main_node(_facts(one))) for kind, one in seen.items()}
    ids = {kind: wanted[key].row.pk for kind, key in keys.items() if key in wanted}
    lines = samples.sparklines(ids.values(), now)
    return {kind: lines[series_id] for kind, series_id in ids.items()}


def _facts(one: Seen) -> dict[str, Any]:
    return {**(one.before.facts if one.before else {}), **one.facts}


def _source_names(sources: tuple[Source, ...]) -> list[str]:
    return [CLOUDWATCH, *(source.name for source in sources)]


def _shown(environment: Environment, one: Wanted, value: Value) -> dict[str, Any]:
    """A value as a reading keeps it; its time is that until which it speaks."""
    until = value.at + timedelta(seconds=one.declared.covers_s(environment))
    return {"value": value.value, "at": until.isoformat(), "unit": one.declared.unit, "source": one.declared.source}


def _watch(environment: Environment, wanted: Mapping[Key, Wanted], now: datetime) -> Iterator[alerts.Watched]:
    """Every rule on every series it watches, with the samples of its duration."""
    changed = thresholds.changed(environment)
    rules = [
        (kind, rule) for kind, service in services.items() for rule in thresholds.rules(service, environment, changed)
    ]
    ruled = [
        (one, rule)
        for kind, rule in rules
        for key, one in wanted.items()
        if key.service == kind and key.name == rule.series
    ]
    since = now - SLACK - timedelta(seconds=max((rule.for_s for _, rule in rules), default=0))
    found = samples.window({one.row.pk for one, _ in ruled}, since)
    for one, rule in ruled:
        points = found.get(one.row.pk, [])
        timing = alerts.Timing.of(one.declared, environment)
        yield alerts.Watched(key=one.key, rule=rule, timing=timing, unit=one.row.unit, points=points)
