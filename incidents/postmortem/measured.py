"""What the recorded samples say of an incident: each number with the very query that computes it again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from dashboard import partitions
from dashboard.services.base import Series, services
from incidents.health import titles
from incidents.models import Incident
from incidents.postmortem.story import Figure, Number
from novaops.environment import Environment

JOINED = "{table} s JOIN dashboard_series d ON d.id = s.series_id"
BETWEEN = "d.environment = %(environment)s AND s.at BETWEEN %(start)s AND %(end)s"
# Days of the oldest partition may be dropped while it is read.
MARGIN = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Where the samples of a time are, and how they are counted there: raw, or rolled up once they are old."""

    table: str
    words: str
    total: str
    average: str
    low: str
    high: str
    count: str
    # How far apart the rows of a series are at least; zero where each is as it was collected.
    every: timedelta = timedelta(0)

    @property
    def joined(self) -> str:
        return JOINED.format(table=self.table)


RAW = Stored(
    table="dashboard_sample",
    words="samples",
    total="sum(s.value)",
    average="avg(s.value)",
    low="min(s.value)",
    high="max(s.value)",
    count="count(*)",
)


def _rolled(table: str, words: str, every: timedelta) -> Stored:
    total = "sum(s.value * s.samples)"
    return Stored(
        table=table,
        words=words,
        total=total,
        average=f"{total} / sum(s.samples)",
        low="min(s.low)",
        high="max(s.high)",
        count="sum(s.samples)",
        every=every,
    )


FIVE_MINUTES = _rolled("dashboard_fiveminutes", "samples in bins of five minutes", timedelta(minutes=5))
HOURS = _rolled("dashboard_hour", "samples in bins of an hour", timedelta(hours=1))


def stored(start: datetime, now: datetime) -> Stored:
    """The finest table that still has everything since `start`."""
    if start > now - partitions.SAMPLES.keep + MARGIN:
        return RAW
    return FIVE_MINUTES if start > now - partitions.FIVE_MINUTES.keep + MARGIN else HOURS


@dataclass(frozen=True, kw_only=True)
class Window:
    """The environment and the stretch of time that is looked at."""

    environment: Environment
    start: datetime
    end: datetime
    kept: Stored

    def rows(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, self._params(params))
            return list(cursor.fetchall())

    def shown(self, sql: str, **params: Any) -> str:
        """The query with its values in it, as anybody may run it again."""
        return str(connection.ops.compose_sql(sql, self._params(params)))  # type: ignore[attr-defined]

    def _params(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"environment": self.environment.name, "start": self.start, "end": self.end, **params}


def window(incident: Incident, environment: Environment, now: datetime) -> Window:
    """The incident's own time, from its start to its end."""
    end = incident.resolved_at or now
    return Window(environment=environment, start=incident.started_at, end=end, kept=stored(incident.started_at, now))


@dataclass(frozen=True, kw_only=True)
class Headline:
    """A number that the impact states first: `how` of these series of a service."""

    service: str
    label: str
    series: tuple[str, ...]
    how: str
    unit: str = ""


SHARE = "share"
HEADLINES = (
    Headline(service="api", label="Requests", series=("requests",), how="total"),
    Headline(service="api", label="Requests failed", series=("target_5xx", "elb_5xx"), how="total"),
    Headline(
        service="api",
        label="Share of requests failed",
        series=("requests", "target_5xx", "elb_5xx"),
        how=SHARE,
        unit="%",
    ),
    Headline(service="api", label="Slowest response (p95)", series=("response_p95",), how="high", unit="s"),
    Headline(service="database", label="Looks at which it refused connections", series=("refusing",), how="total"),
    Headline(service="database", label="Connections used at most", series=("connections_used",), how="high", unit="%"),
    Headline(service="cache", label="Keys evicted", series=("evictions",), how="total"),
    Headline(service="cache", label="Memory used at most", series=("memory",), how="high", unit="%"),
    Headline(service="events", label="Lag reached", series=("lag_ledgers",), how="high", unit="ledgers"),
    Headline(service="events", label="Lag reached in time", series=("lag_s",), how="high", unit="s"),
)


def numbers(incident: Incident, seen: Window) -> Iterator[Number]:
    """The headline numbers of the affected services."""
    for one in HEADLINES:
        if one.service in incident.services:
            yield _number(one, seen)


def _number(one: Headline, seen: Window) -> Number:
    values = f"{_share(seen.kept) if one.how == SHARE else getattr(seen.kept, one.how)}, {seen.kept.count}"
    sql = (
        f"SELECT {values} FROM {seen.kept.joined} WHERE d.service = %(service)s AND d.name = ANY(%(names)s)"  # noqa: S608
        f" AND {BETWEEN}"
    )
    params = {"service": one.service, "names": list(one.series)}
    ((value, count),) = seen.rows(sql, **params)
    declared = {each.name: each for each in services[one.service].series_in(seen.environment)}
    sources = dict.fromkeys(source(declared.get(name), one.service) for name in one.series)
    return Number(
        label=f"{titles([one.service])[0]}: {one.label}",
        value=value,
        unit=one.unit,
        source=f"{', '.join(sources)}; {int(count or 0)} {seen.kept.words}",
        query=seen.shown(sql, **params),
    )


def _share(kept: Stored) -> str:
    """Of all requests; those refused before a target was chosen are not counted among them, so at most 100."""
    failed = f"{kept.total} FILTER (WHERE d.name <> 'requests')"
    return f"least(100, 100 * {failed} / nullif({kept.total} FILTER (WHERE d.name = 'requests'), 0))"


def source(known: Series | None, otherwise: str) -> str:
    """Where the values of a series come from."""
    return (known.metric or known.source) if known else otherwise


def figures(incident: Incident, seen: Window) -> tuple[tuple[Figure, ...], str]:
    """Every series of the affected services, and the one query behind them all."""
    kept = seen.kept
    sql = (
        f"SELECT d.service, d.name, d.resource, d.unit, {kept.low}, {kept.average}, {kept.high}, {kept.total},"  # noqa: S608
        f" {kept.count} FROM {kept.joined} WHERE d.service = ANY(%(services)s) AND {BETWEEN}"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3"
    )
    declared = {
        (kind, one.name): one for kind, service in services.items() for one in service.series_in(seen.environment)
    }
    rows = seen.rows(sql, services=incident.services)
    return tuple(_figure(row, declared) for row in rows), seen.shown(sql, services=incident.services)


def _figure(row: Sequence[Any], declared: dict[tuple[str, str], Series]) -> Figure:
    kind, name, resource, unit, low, average, high, total, count = row
    known = declared.get((kind, name))
    return Figure(
        service=titles([kind])[0],
        series=f"{name} {resource}".rstrip(),
        unit=unit,
        low=low,
        average=average,
        high=high,
        total=total,
        samples=int(count),
        source=source(known, kind),
        counts=known is not None and known.statistic == "Sum",
    )
