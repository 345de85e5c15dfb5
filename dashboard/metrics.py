"""What is asked of CloudWatch in a round: every watched metric, in as few calls as there are different starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard import models
from dashboard.samples import Key
from dashboard.services.base import Series, Service
from novaops.cloud import cloudwatch
from novaops.environment import Environment

# A series that was never asked for is filled this far back; finer metrics than a minute are kept no longer (FACTS E).
BACKFILL = timedelta(hours=3)
# The newest periods are read again each round: their values may still change (FACTS E).
READ_AGAIN_PERIODS = 3


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One watched series: what it is, and its row."""

    key: Key
    declared: Series
    row: models.Series


def watched(service: Service, environment: Environment, nodes: Sequence[str]) -> dict[Key, Series]:
    """Every series of a service, with one key for each node where it is per node."""
    return {
        Key(service.kind, series.name, node): series
        for series in service.series_in(environment)
        for node in (nodes if series.per_node else series.resources or ("",))
    }


def query(service: Service, environment: Environment, wanted: Wanted) -> cloudwatch.Query:
    """The CloudWatch query of a series that has a metric."""
    namespace, _, metric = wanted.declared.metric.rpartition(":")
    values = service.dimensions(environment, wanted.key.resource)
    return cloudwatch.Query(
        namespace=namespace,
        metric=metric,
        statistic=wanted.declared.statistic,
        dimensions=tuple((name, values[name]) for name in wanted.declared.by),
    )


def last_period(now: datetime, period_s: int) -> datetime:
    """The end of the last period that is over."""
    return datetime.fromtimestamp(now.timestamp() // period_s * period_s, UTC)


def read(
    environment: Environment, queries: Mapping[Key, tuple[cloudwatch.Query, datetime | None]], now: datetime
) -> dict[Key, cloudwatch.Answer]:
    """Every query's answer: one call of CloudWatch for all that were asked up to the same time before."""
    period_s = environment.metric_period_s
    end = last_period(now, period_s)
    batches: dict[datetime, list[Key]] = {}
    for key, (_, asked_until) in queries.items():
        again = (asked_until or end - BACKFILL) - timedelta(seconds=READ_AGAIN_PERIODS * period_s)
        batches.setdefault(max(again, end - BACKFILL), []).append(key)
    answers: dict[Key, cloudwatch.Answer] = {}
    for start, keys in batches.items():
        found = cloudwatch.get_series(environment, [queries[key][0] for key in keys], start, end, period_s)
        answers.update(zip(keys, found, strict=True))
    return answers
