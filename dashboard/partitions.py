"""Time partitions of the sample tables: made before they are needed, dropped whole when they are too old.

There is no default partition: it would have to be searched each time another is attached. A point is only written to a
period whose partition exists (`ensure`).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import OperationalError, connection, transaction

logger = logging.getLogger(__name__)

AHEAD = timedelta(days=3)


@dataclass(frozen=True)
class Table:
    """A table partitioned by day or month, and how long its rows are kept."""

    name: str
    monthly: bool
    keep: timedelta

    def start(self, at: datetime) -> datetime:
        """The start of the period that `at` lies in."""
        day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return day.replace(day=1) if self.monthly else day

    def end(self, start: datetime) -> datetime:
        """The end of the period that begins at `start`."""
        return self.start(start + timedelta(days=31)) if self.monthly else start + timedelta(days=1)

    def partition(self, start: datetime) -> str:
        """The name of the partition that begins at `start`."""
        return f"{self.name}_{start:%Y%m}" if self.monthly else f"{self.name}_{start:%Y%m%d}"

    def ends(self, partition: str) -> datetime:
        """When the period of the partition of that name ends."""
        shape = "%Y%m" if self.monthly else "%Y%m%d"
        return self.end(datetime.strptime(partition.rpartition("_")[2], shape).replace(tzinfo=UTC))


SAMPLES = Table("dashboard_sample", monthly=False, keep=timedelta(days=14))
FIVE_MINUTES = Table("dashboard_fiveminutes", monthly=False, keep=timedelta(days=397))
HOURS = Table("dashboard_hour", monthly=True, keep=timedelta(days=397))
TABLES = (SAMPLES, FIVE_MINUTES, HOURS)


def existing(table: Table) -> dict[str, str]:
    """The table's partitions by name, each attached, pending (its detaching was interrupted) or detached."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, CASE WHEN inhdetachpending THEN 'pending' WHEN inhrelid IS NULL THEN 'detached'"
            " ELSE 'attached' END FROM pg_class LEFT JOIN pg_inherits ON inhrelid = pg_class.oid"
            " WHERE relkind = 'r' AND relname ~ %s AND relnamespace = current_schema()::regnamespace",
            [rf"^{table.name}_\d+$"],
        )
        return dict(cursor.fetchall())


def ensure(table: Table, times: Iterable[datetime]) -> None:
    """Make the missing partitions that these times lie in."""
    starts = {table.start(at) for at in times}
    if not starts:
        return
    there = existing(table)
    for start in sorted(starts):
        if table.partition(start) not in there:
            _create(table, start)


def make_ahead(table: Table, now: datetime) -> None:
    """Make the partitions of yesterday (for late points) until some days ahead."""
    day, times = now - timedelta(days=1), []
    while day <= now + AHEAD:
        times.append(day)
        day += timedelta(days=1)
    ensure(table, times)


def drop_old(table: Table, now: datetime) -> list[str]:
    """Drop the partitions whose every row is too old, and name them.

    Readers and writers are not waited for, so this must run outside a transaction: PostgreSQL detaches concurrently
    only there. Interrupted, the next call finishes.
    """
    old = {name: how for name, how in existing(table).items() if table.ends(name) <= now - table.keep}
    with connection.cursor() as cursor:
        for name, how in old.items():
            if how != "detached":
                word = "FINALIZE" if how == "pending" else "CONCURRENTLY"
                cursor.execute(f"ALTER TABLE {table.name} DETACH PARTITION {name} {word}")
            cursor.execute(f"DROP TABLE {name}")
    return sorted(old)


def try_drop_old(table: Table, now: datetime) -> None:
    """As `drop_old`; where somebody reads for so long that it gives up waiting, the next call finishes."""
    try:
        drop_old(table, now)
    except OperationalError as failure:
        logger.warning("Old partitions of %s wait for a long reader: %s", table.name, failure)


def _create(table: Table, start: datetime) -> None:
    """Attach a new table: unlike CREATE ... PARTITION OF, this does not lock readers and writers out."""
    name, end = table.partition(start), table.end(start)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [table.name])
        if name in existing(table):
            return
        cursor.execute(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING ALL)")
        cursor.execute(
            f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
            [start.isoformat(), end.isoformat()],
        )
