"""What the samples show around an incident: charts, signs that were there before an alert, what each run changed."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from dashboard import thresholds
from dashboard.models import Alert
from dashboard.services.base import Rule, Series, services
from incidents.health import titles
from incidents.models import Incident
from incidents.postmortem import states
from incidents.postmortem.measured import BETWEEN, Window, source
from incidents.postmortem.story import Chart, Effect, InState, Mark, Sign
from novaops.runbook.models import Run
from novaops.runbook.states import RunStatus

POINTS = 60
MOST_CHARTS = 8
LEAD = timedelta(minutes=10)
BEFORE = timedelta(hours=1)
AROUND_RUN = timedelta(minutes=5)
LONGEST_MARK = 80


def of_states(incident: Incident, seen: Window, alerts: Iterable[Alert]) -> Iterator[InState]:
    """The states of each affected service by its alerts; where no sample came, nothing is known."""
    for kind in incident.services:
        stretches: dict[str, list[states.Stretch]] = {"crit": [], "warn": [], "unknown": _silent(kind, seen)}
        for alert in alerts:
            if alert.service == kind and alert.severity in stretches:
                stretches[alert.severity].append((alert.fired_at, alert.cleared_at or seen.end))
        spent = states.seconds(stretches, seen.start, seen.end)
        yield InState(service=titles([kind])[0], **{f"{state}_s": length for state, length in spent.items()})


def _silent(kind: str, seen: Window) -> list[states.Stretch]:
    step = max(timedelta(seconds=max(60, 2 * seen.environment.collect_every_s)), seen.kept.every)
    bins = (seen.end - seen.start) // step
    sql = (
        f"SELECT DISTINCT floor(extract(epoch FROM s.at - %(start)s) / %(step)s)::int FROM {seen.kept.joined}"  # noqa: S608
        f" WHERE d.service = %(service)s AND {BETWEEN}"
    )
    found = seen.rows(sql, service=kind, step=step.total_seconds())
    return states.gaps((at for (at,) in found), seen.start, step, bins)


def charts(incident: Incident, seen: Window, alerts: list[Alert], runs: list[Run]) -> Iterator[Chart]:
    """The series of each alert and of each affected service's tile, from shortly before to the end."""
    lead = max(LEAD, (seen.end - seen.start) / 10)
    around = Window(environment=seen.environment, start=seen.start - lead, end=seen.end + lead / 4, kept=seen.kept)
    marks = tuple(sorted([*_alert_marks(alerts), *_run_marks(runs)], key=lambda mark: mark.at))
    for kind, name, resource, rule in _worth_drawing(incident, seen, alerts)[:MOST_CHARTS]:
        known = next((one for one in services[kind].series_in(seen.environment) if one.name == name), None)
        values = _bins(around, kind, name, resource)
        if known and any(value is not None for value in values):
            yield Chart(
                service=titles([kind])[0],
                series=f"{name} {resource}".rstrip(),
                unit=known.unit,
                start=around.start,
                end=around.end,
                values=tuple(values),
                threshold=rule.threshold if rule else None,
                marks=tuple(mark for mark in marks if around.start <= mark.at <= around.end),
                source=source(known, kind),
            )


def _worth_drawing(incident: Incident, seen: Window, alerts: list[Alert]) -> list[tuple[str, str, str, Rule | None]]:
    found: dict[tuple[str, str, str], Rule | None] = {}
    for alert in alerts:
        rule = _rule(alert, seen)
        if rule:
            found.setdefault((alert.service, rule.series, alert.resource), rule)
    for kind in incident.services:
        spark = services[kind].spark
        drawn = any((service, name) == (kind, spark) for service, name, _ in found)
        resource = "" if drawn else _busiest(seen, kind, spark)
        if not drawn and resource is not None:
            found[(kind, spark, resource)] = None
    return [(*key, rule) for key, rule in found.items()]


def _rule(alert: Alert, seen: Window) -> Rule | None:
    rules = _rules(alert.service, seen) if alert.service in services else ()
    return next((rule for rule in rules if rule.key == alert.rule), None)


def _busiest(seen: Window, kind: str, name: str) -> str | None:
    """The node whose values were the highest; empty where the series is of the whole service, None where none is."""
    sql = (
        f"SELECT d.resource FROM {seen.kept.joined} WHERE d.service = %(service)s AND d.name = %(name)s"  # noqa: S608
        f" AND {BETWEEN} GROUP BY 1 ORDER BY {seen.kept.high} DESC LIMIT 1"
    )
    return next((str(resource) for (resource,) in seen.rows(sql, service=kind, name=name)), None)


def _bins(seen: Window, kind: str, name: str, resource: str) -> list[float | None]:
    step = max(seen.end - seen.start, timedelta(seconds=POINTS)) / POINTS
    sql = (
        "SELECT least(floor(extract(epoch FROM s.at - %(start)s) / %(step)s), %(last)s)::int,"  # noqa: S608
        f" {seen.kept.average} FROM {seen.kept.joined} WHERE d.service = %(service)s AND d.name = %(name)s"
        f" AND d.resource = %(resource)s AND {BETWEEN} GROUP BY 1"
    )
    values: list[float | None] = [None] * POINTS
    params = {"step": step.total_seconds(), "last": POINTS - 1, "service": kind, "name": name, "resource": resource}
    for at, value in seen.rows(sql, **params):
        values[at] = value
    return values


def _alert_marks(alerts: Iterable[Alert]) -> Iterator[Mark]:
    for alert in alerts:
        yield Mark(at=alert.fired_at, kind="alert", text=f"{alert.title} fired"[:LONGEST_MARK])
        if alert.cleared_at:
            yield Mark(at=alert.cleared_at, kind="clear", text=f"{alert.title} cleared"[:LONGEST_MARK])


def _run_marks(runs: Iterable[Run]) -> Iterator[Mark]:
    for run in runs:
        yield Mark(at=run.started_at or run.created_at, kind="run", text=f"{run.title} began"[:LONGEST_MARK])
        if run.finished_at:
            yield Mark(at=run.finished_at, kind="run", text=f"{run.title} {run.status}"[:LONGEST_MARK])


def signs(incident: Incident, seen: Window, alerts: list[Alert]) -> Iterator[Sign]:
    """The rules of affected services whose threshold was crossed from an hour before the start on, by when."""
    early = Window(environment=seen.environment, start=seen.start - BEFORE, end=seen.end, kept=seen.kept)
    found = (_sign(early, kind, rule, alerts) for kind in incident.services for rule in _rules(kind, early))
    yield from sorted((sign for sign in found if sign), key=lambda sign: sign.at)


def _rules(kind: str, seen: Window) -> tuple[Rule, ...]:
    return thresholds.rules(services[kind], seen.environment, thresholds.changed(seen.environment))


def _sign(seen: Window, kind: str, rule: Rule, alerts: list[Alert]) -> Sign | None:
    crossed = "s.value > %(threshold)s" if rule.above is not None else "s.value < %(threshold)s"
    sql = (
        f"SELECT s.at, s.value, count(*) OVER () FROM {seen.kept.joined} WHERE d.service = %(service)s"  # noqa: S608
        f" AND d.name = %(name)s AND {crossed} AND {BETWEEN} ORDER BY s.at LIMIT 1"
    )
    params = {"service": kind, "name": rule.series, "threshold": rule.threshold}
    first: tuple[Any, ...] | None = next(iter(seen.rows(sql, **params)), None)
    if first is None:
        return None
    known = next(one for one in services[kind].series_in(seen.environment) if one.name == rule.series)
    fired = [alert.fired_at for alert in alerts if (alert.service, alert.rule) == (kind, rule.key)]
    return Sign(
        rule=rule.title,
        service=titles([kind])[0],
        series=rule.series,
        at=first[0],
        value=first[1],
        threshold=rule.threshold,
        unit=known.unit,
        waits_s=rule.for_s,
        beyond=first[2],
        fired_at=min(fired, default=None),
        source=source(known, kind),
        query=seen.shown(sql, **params),
    )


def effects(seen: Window, runs: Iterable[Run], alerts: list[Alert], now: datetime) -> Iterator[Effect]:
    """What the watched series were before each successful run and after it."""
    for run in runs:
        if run.status != RunStatus.SUCCEEDED or run.service not in services or not run.finished_at:
            continue
        began = run.started_at or run.created_at
        for known in _watched(seen, run.service, alerts):
            before = _average(seen, run.service, known.name, began - AROUND_RUN, began)
            after = _average(seen, run.service, known.name, run.finished_at, min(run.finished_at + AROUND_RUN, now))
            yield Effect(
                run=run.title,
                target=run.target,
                finished_at=run.finished_at,
                service=titles([run.service])[0],
                series=known.name,
                unit=known.unit,
                before=before[0],
                after=after[0],
                source=source(known, run.service),
                queries=(before[1], after[1]),
            )


def _watched(seen: Window, kind: str, alerts: Iterable[Alert]) -> list[Series]:
    """The series of the service's alerts and of its tile."""
    rules = [_rule(alert, seen) for alert in alerts if alert.service == kind]
    names = {services[kind].spark, *(rule.series for rule in rules if rule)}
    return [one for one in services[kind].series_in(seen.environment) if one.name in names]


def _average(seen: Window, kind: str, name: str, start: datetime, end: datetime) -> tuple[float | None, str]:
    """The average of that time, and the query that computes it."""
    part = Window(environment=seen.environment, start=start, end=end, kept=seen.kept)
    sql = (
        f"SELECT {seen.kept.average} FROM {seen.kept.joined} WHERE d.service = %(service)s"  # noqa: S608
        f" AND d.name = %(name)s AND {BETWEEN}"
    )
    value: float | None = part.rows(sql, service=kind, name=name)[0][0]
    return value, part.shown(sql, service=kind, name=name)
