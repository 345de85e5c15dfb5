"""The real databases behind simulated snapshots and restored instances: copies of Nova's, made on the same server."""

import hashlib
import os
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from novaops.sandbox import seed
from novaops.sandbox.aws import rds, rds_clusters
from novaops.sandbox.aws.rds_model import copies

TIMEOUT_S = 2
SNAPSHOT, RESTORED = "snapshot-", "nova-restored-"
# By which column a row was there at a moment; the tables without one follow the ledgers of the events.
CAME_AT = {
    "users": "created_at",
    "merchants": "created_at",
    "transactions": "created_at",
    "redemptions": "created_at",
    "contract_events": "written_at",
}
FOLLOW = """
UPDATE event_cursor SET ledger = coalesce((SELECT max(ledger) FROM contract_events), 0)
    WHERE ledger > coalesce((SELECT max(ledger) FROM contract_events), 0);
DELETE FROM event_ranges WHERE first > (SELECT ledger FROM event_cursor);
UPDATE event_ranges SET last = (SELECT ledger FROM event_cursor) WHERE last > (SELECT ledger FROM event_cursor);
"""

Add = Callable[[Callable[[], None]], None]


class Databases:
    """Hears of what the simulated RDS snapshots, restores and deletes; `add` has the copying done outside of it."""

    def attach(self, add: Add) -> None:
        """Listen to the simulated RDS. Once per process."""
        copies.on_snapshot.append(lambda instance, name: add(partial(_copy, _behind(instance), _of_snapshot(name))))
        copies.on_copy.append(lambda source, name: add(partial(_clone, _of_snapshot(source), _of_snapshot(name))))
        copies.on_restore.append(lambda *told: add(partial(_restore, *told)))
        copies.on_snapshot_gone.append(lambda name: add(partial(_drop, _of_snapshot(name))))
        copies.on_instance_gone.append(lambda name: add(partial(_drop, name)))


def forget() -> None:
    """Drop what an earlier world left."""
    if not _dsn():
        return
    with _connected("nova") as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE datname ^@ %s OR datname ^@ %s", [SNAPSHOT, RESTORED]
        ).fetchall()
    for (name,) in found:
        _drop(name)


def _dsn() -> str:
    return os.environ.get("NOVA_DATABASE_URL", "")


def _connected(database: str) -> "psycopg.Connection[tuple[Any, ...]]":
    dsn = make_conninfo(_dsn(), dbname=database)
    return psycopg.connect(dsn, connect_timeout=TIMEOUT_S, autocommit=True)


def _behind(instance: str) -> str:
    """The database behind an instance, or behind Nova's cluster."""
    return "nova" if instance in (rds.NOVA_DB, rds_clusters.NOVA_CLUSTER) else instance


def _of_snapshot(name: str) -> str:
    """The database that keeps what a snapshot holds; names of snapshots are longer than PostgreSQL allows."""
    return SNAPSHOT + hashlib.sha256(name.encode()).hexdigest()[:20]


def _restore(instance: str, source: str, snapshot: str, until: datetime) -> None:
    """What the snapshot kept; else, as to a point in time, what its source had at that moment."""
    if snapshot and _there(_of_snapshot(snapshot)):
        _clone(_of_snapshot(snapshot), instance)
    else:
        _copy(_behind(source), instance, until)


def _there(database: str) -> bool:
    if not _dsn():
        return False
    with _connected("nova") as connection:
        return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone())


def _clone(source: str, target: str) -> None:
    """A copy of a database to which nobody is connected."""
    if not _there(source):
        return
    with _connected("nova") as connection:
        names = sql.Identifier(target), sql.Identifier(source)
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))


def _copy(source: str, target: str, until: datetime | None = None) -> None:
    """A copy of a database in use, in one transaction: its rows of now, or those that were there at a moment."""
    if not _dsn():
        return
    with _connected("nova") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(target)))
    with _connected(source) as there, _connected(target) as here:
        here.execute(seed.SCHEMA)
        there.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        for table in seed.TABLES:
            _pour(there, here, table, until)
        there.execute("COMMIT")
        if until:
            here.execute(FOLLOW)


def _pour(
    there: "psycopg.Connection[tuple[Any, ...]]",
    here: "psycopg.Connection[tuple[Any, ...]]",
    table: str,
    until: datetime | None,
) -> None:
    rows = sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))
    if until and table in CAME_AT:
        came = sql.Identifier(CAME_AT[table])
        rows = sql.SQL("{} WHERE {} <= {}").format(rows, came, sql.Literal(until))
    reading = sql.SQL("COPY ({}) TO STDOUT").format(rows)
    writing = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
    with there.cursor().copy(reading) as out, here.cursor().copy(writing) as into:
        for block in out:
            into.write(block)


def _drop(database: str) -> None:
    if not _dsn():
        return
    with _connected("nova") as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


databases = Databases()
