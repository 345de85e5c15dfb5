"""The queries of learning. The moments that each measure lies between are those of `measures.PAIRS`.

Names are grouped by their bytes (COLLATE "C"), which takes half the time of a language's order.
"""

from dashboard.models import Alert
from incidents.measures import PAIRS, SHORT
from incidents.models import Incident, Link
from incidents.statistics import SPREAD
from novaops.runbook.models import Run
from novaops.runbook.states import RunStatus

SINCE = "coalesce(%(since)s::timestamptz, '-infinity')"
# The start is not known where nobody said more than that it was declared (Incident.moments).
MOMENTS = {"started_at": "nullif(started_at, declared_at)"}
BETWEEN = [(MOMENTS.get(first, first), second) for name, _, first, second in PAIRS if name in SHORT]


def _measured(at: int, first: str, second: str) -> str:
    """The seconds of a measure where it is recorded, and why not where it is not; as `measures` has it."""
    return (
        f"CASE WHEN {second} >= {first} THEN extract(epoch FROM {second} - {first})::float8 END AS s{at},"
        f" CASE WHEN {second} >= {first} THEN '' WHEN {second} IS NOT NULL THEN 'invalid'"
        f" WHEN resolved_at IS NULL THEN 'pending' ELSE 'not applicable' END AS k{at}"
    )


def _summed(at: int) -> str:
    unknown = (f"count(*) FILTER (WHERE k{at} = '{word}')" for word in ("pending", "not applicable", "invalid"))
    return ", ".join([SPREAD.format(f"s{at}"), *unknown])


_EACH = ", ".join(_measured(at, *pair) for at, pair in enumerate(BETWEEN))
_SUMS = ", ".join(_summed(at) for at in range(len(BETWEEN)))
# A row for each group: what it is grouped by, its name, how many, then the sums of each measure.
TIMES = f"""
WITH one AS MATERIALIZED (
  SELECT severity COLLATE "C" AS severity, services,
    to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM') COLLATE "C" AS month, {_EACH}
  FROM {Incident._meta.db_table}
  WHERE environment = %(environment)s AND NOT is_drill AND state <> '{Incident.State.MERGED}' AND started_at >= {SINCE}
)
SELECT CASE WHEN grouping(severity) = 0 THEN 'severity' WHEN grouping(month) = 0 THEN 'month' ELSE 'all' END,
  coalesce(severity, month, 'All'), count(*), {_SUMS}
FROM one GROUP BY GROUPING SETS ((), (severity), (month))
UNION ALL
SELECT 'service', service, count(*), {_SUMS} FROM one, unnest(services) AS service GROUP BY service
"""  # noqa: S608 (the names of columns)

ACTIONS = f"""
SELECT title, count(*), count(*) FILTER (WHERE status = '{RunStatus.SUCCEEDED}'),
  count(*) FILTER (WHERE status = '{RunStatus.FAILED}'), count(*) FILTER (WHERE status = '{RunStatus.UNKNOWN}'),
  count(*) FILTER (WHERE status IN ('{RunStatus.CANCELED}', '{RunStatus.EXPIRED}')),
  count(*) FILTER (WHERE worked), count(*) FILTER (WHERE NOT worked), {SPREAD.format("took")}
FROM (
  SELECT title COLLATE "C" AS title, status, worked, CASE WHEN status = '{RunStatus.SUCCEEDED}'
    THEN extract(epoch FROM finished_at - started_at)::float8 END AS took
  FROM {Run._meta.db_table} WHERE environment = %(environment)s AND created_at >= {SINCE}
) AS run GROUP BY title
"""  # noqa: S608 (the names of columns)

# An alert that is over within two minutes told of something that nobody could have acted upon.
NOISE = f"""
SELECT title, service, count(*), sum(flaps), count(*) FILTER (WHERE lasted < 120), count(*) FILTER (WHERE alone),
  {SPREAD.format("lasted")}
FROM (
  SELECT title COLLATE "C" AS title, service COLLATE "C" AS service, flaps,
    extract(epoch FROM cleared_at - fired_at)::float8 AS lasted, tied.ref IS NULL AS alone
  FROM {Alert._meta.db_table} AS alert
  LEFT JOIN (SELECT DISTINCT ref FROM {Link._meta.db_table} WHERE kind = '{Link.Kind.ALERT}') AS tied
    ON tied.ref = alert.id
  WHERE environment = %(environment)s AND fired_at >= {SINCE}
) AS fired GROUP BY title, service
"""  # noqa: S608 (the names of columns)
