"""What the charts of a service show: its series in columns, their thresholds, and the marks of what happened."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from dashboard import history, marks, thresholds
from dashboard.history import Column, Stretch
from dashboard.models import Reading, Series
from dashboard.samples import Key
from dashboard.services import base
from dashboard.services.base import Chart, Rule, Service
from novaops.environment import Environment

FRESH_INTERVALS = 2


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series in columns, whose samples come every `every_s`. `label` is as in a reading: `name`, or `name/node`."""

    label: str
    title: str
    unit: str
    source: str
    every_s: float
    column: Column

    @property
    def name(self) -> str:
        return self.label.partition("/")[0]

    @property
    def known(self) -> list[float]:
        return [value for value in self.column if value is not None]


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Where a rule begins to hold on a series."""

    series: str
    value: float
    title: str
    severity: str


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Everything that the charts of a service show of a stretch."""

    stretch: Stretch
    lines: list[Line]
    thresholds: list[Threshold]
    marks: list[marks.Mark]
    as_of: datetime | None
    source: str
    stale_after_s: float

    def of(self, chart: Chart) -> list[Line]:
        """The lines of one chart, in the order of its series."""
        return of(chart, self.lines)

    def thresholds_of(self, chart: Chart) -> list[Threshold]:
        return [threshold for threshold in self.thresholds if threshold.series in chart.series]


def drawn(service: Service, environment: Environment, stretch: Stretch, only: Iterable[Chart] = ()) -> Drawn:
    """The charts of a service over a stretch: one query for its series, one for their values, one for each mark."""
    charts = tuple(only) or service.charts_in(environment)
    names = {name for chart in charts for name in chart.series}
    declared = {series.name: series for series in service.series_in(environment) if series.name in names}
    reading = Reading.objects.filter(environment=environment.name, service=service.kind).first()
    rows = list(Series.objects.filter(environment=environment.name, service=service.kind, name__in=names))
    columns = history.columns([row.pk for row in rows], stretch)
    lines = [_line(row, declared[row.name], columns[row.pk], environment) for row in rows]
    rules = thresholds.rules(service, environment, thresholds.changed(environment))
    main = service.main_node(reading.facts) if reading else ""
    asked = marks.Stretch(environment=environment.name, service=service.kind, since=stretch.since, until=stretch.until)
    return Drawn(
        stretch=stretch,
        lines=sorted(
            (line for line in lines if line.known), key=lambda line: (not line.label.endswith(main), line.label)
        ),
        thresholds=[_threshold(rule) for rule in rules if rule.series in names],
        marks=marks.of(asked),
        as_of=reading.at if reading else None,
        source=reading.source if reading else "",
        stale_after_s=FRESH_INTERVALS * max((one.interval_s(environment) for one in declared.values()), default=60.0),
    )


@dataclass(frozen=True, kw_only=True)
class Short:
    """A chart as it stands without JavaScript: its lines in few points, and the sentence that says the same."""

    chart: Chart
    lines: list[Line]
    sentence: str

    @property
    def unit(self) -> str:
        """The units of its lines, each once."""
        return ", ".join(dict.fromkeys(line.unit for line in self.lines if line.unit))


def in_short(service: Service, environment: Environment, stretch: Stretch, rows: Iterable[Series]) -> list[Short]:
    """Every chart of the service in few points, in one query; `rows` are its series."""
    charts = service.charts_in(environment)
    names = {name for chart in charts for name in chart.series}
    declared = {series.name: series for series in service.series_in(environment) if series.name in names}
    drawn = [row for row in rows if row.name in declared]
    columns = history.columns([row.pk for row in drawn], stretch)
    lines = [line for row in drawn if (line := _line(row, declared[row.name], columns[row.pk], environment)).known]
    found = ((chart, of(chart, lines)) for chart in charts)
    return [Short(chart=chart, lines=its, sentence=sentence(chart, its)) for chart, its in found]


def of(chart: Chart, lines: Iterable[Line]) -> list[Line]:
    """The lines of one chart, in the order of its series."""
    its = [line for line in lines if line.name in chart.series]
    return sorted(its, key=lambda line: (chart.series.index(line.name), line.label))


def title(row: Series) -> str:
    """What people read of a series."""
    name = row.name.replace("_", " ")
    return f"{name} ({row.resource})" if row.resource else name


def _line(row: Series, declared: base.Series, column: Column, environment: Environment) -> Line:
    return Line(
        label=Key(row.service, row.name, row.resource).label,
        title=title(row),
        unit=row.unit,
        source=declared.source,
        every_s=declared.covers_s(environment) or environment.collect_every_s,
        column=column,
    )


def _threshold(rule: Rule) -> Threshold:
    return Threshold(series=rule.series, value=rule.threshold, title=rule.title, severity=rule.severity)


def as_json(found: Drawn, rev: str) -> str:
    """The charts as a page draws them: columns with three significant digits and null for a gap (UX.md, section 2)."""
    head = {
        "t0": found.stretch.t0,
        "step": found.stretch.step_s,
        "res": found.stretch.resolution,
        "until": int(found.stretch.until.timestamp()),
        "rev": rev,
        "as_of": found.as_of.astimezone(UTC).isoformat(timespec="seconds") if found.as_of else None,
        "source": found.source,
        "stale_after": found.stale_after_s,
        "thresholds": [vars(threshold) for threshold in found.thresholds],
        "events": [{**vars(mark), "at": int(mark.at.timestamp())} for mark in found.marks],
    }
    series = ",".join(_series(line) for line in found.lines)
    return f'{json.dumps(head)[:-1]}, "series": [{series}]}}'


def _series(line: Line) -> str:
    """Written by hand: json.dumps would write every digit."""
    told = {"name": line.label, "title": line.title, "unit": line.unit, "source": line.source, "every": line.every_s}
    values = ",".join("null" if value is None else f"{value:.3g}" for value in line.column)
    return f'{json.dumps(told)[:-1]}, "y": [{values}]}}'


def sentence(chart: Chart, lines: Iterable[Line]) -> str:
    """What a chart shows, for those who do not see it."""
    told = "; ".join(_told(line) for line in lines)
    return f"{chart.title}. {told}." if told else f"{chart.title}: no data."


def _told(line: Line) -> str:
    unit = f" {line.unit}" if line.unit else ""
    now = "now" if line.column[-1] is not None else "last"
    low, high = min(line.known), max(line.known)
    return f"{line.title}: {now} {line.known[-1]:.3g}{unit}, lowest {low:.3g}, highest {high:.3g}"


def rows(found: Drawn, lines: list[Line]) -> Iterator[tuple[datetime, list[float | None]]]:
    """The lines as a table, the newest first: the start of each bin and its values."""
    for index in reversed(range(found.stretch.bins)):
        yield found.stretch.at(index), [line.column[index] for line in lines]
