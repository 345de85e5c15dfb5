"""What is in a Nova database: version, schema, rows and the newest of them, and which rows another one lacks."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from novaops.cloud.errors import OutsideError
from novaops.cloud.nova_db import cursor

# A count of a large table takes long, above all on an instance whose blocks are still on their way from S3.
COUNT_WITHIN_MS = 6_000
# The column that says when a row came, by the names that are usual; else the first column that is a time.
USUAL = ("created_at", "inserted_at", "written_at", "occurred_at", "updated_at")
TIMES = ("timestamp with time zone", "timestamp without time zone")


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What the server is and which tables it has; `fingerprint` is equal where every column is."""

    version: str
    tables: int
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of a table; an estimate where they could not be counted in time. `column` says when a row came."""

    name: str
    rows: int
    exact: bool
    column: str
    newest_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Newer:
    """The rows that came after a moment."""

    rows: int
    first_at: datetime | None
    last_at: datetime | None


def dsn_of(own: str, template: str, *, instance: str, host: str, port: int) -> str:
    """How a restored instance is reached: as production, but at its own host; or as the template says.

    A template has `{instance}`, `{host}` and `{port}` in it. Raises OutsideError where neither is configured.
    """
    if template:
        return template.format(instance=instance, host=host, port=port)
    if not own:
        raise OutsideError("No connection to Nova's database is configured")
    try:
        return make_conninfo(own, host=host, port=port)
    except psycopg.ProgrammingError as failure:
        raise OutsideError("The configured connection to Nova's database cannot be read") from failure


def schema(dsn: str) -> Schema:
    """The server's version and the columns of every table of its own. Raises OutsideError."""
    with cursor(dsn) as asked:
        asked.execute("SHOW server_version")
        version = _first(asked)
        asked.execute(
            "SELECT table_schema, table_name, column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3"
        )
        columns = asked.fetchall()
    told = hashlib.sha256(repr(columns).encode()).hexdigest()
    return Schema(version=str(version), tables=len({row[:2] for row in columns}), fingerprint=told[:16])


def table(dsn: str, name: str, column: str = "") -> Table:
    """How many rows the table has and when the newest came. Raises OutsideError, also where there is no such table."""
    with cursor(dsn) as asked:
        column = column or _time_column(asked, name)
        _take_time(asked)
        rows, exact = _counted(asked, name)
        newest_at = _newest(asked, name, column) if column else None
    return Table(name=name, rows=rows, exact=exact, column=column, newest_at=newest_at)


def newer(dsn: str, name: str, column: str, than: datetime | None) -> Newer:
    """The rows of the table that came after `than`; all of them where that is None. Raises OutsideError."""
    where = sql.SQL("{} > %s" if than else "%s::timestamptz IS NULL").format(sql.Identifier(column))
    asking = sql.SQL("SELECT count(*), min({column}), max({column}) FROM {table} WHERE {where}").format(
        column=sql.Identifier(column), table=_identifier(name), where=where
    )
    with cursor(dsn) as asked:
        _take_time(asked)
        asked.execute(asking, [than])
        rows, first_at, last_at = asked.fetchone() or (0, None, None)
    return Newer(rows=rows, first_at=_aware(first_at), last_at=_aware(last_at))


def _take_time(asked: psycopg.Cursor[Any]) -> None:
    """Allow for what counting takes, and read times without a zone as UTC."""
    asked.execute(sql.SQL("SET statement_timeout = {}").format(COUNT_WITHIN_MS))
    asked.execute("SET timezone = 'UTC'")


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _time_column(asked: psycopg.Cursor[Any], name: str) -> str:
    asked.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
        " AND format_type(atttypid, NULL) = ANY(%s) ORDER BY attnum",
        [_identifier(name).as_string(asked), list(TIMES)],
    )
    found = [row[0] for row in asked.fetchall()]
    return next((usual for usual in USUAL if usual in found), found[0] if found else "")


def _counted(asked: psycopg.Cursor[Any], name: str) -> tuple[int, bool]:
    try:
        asked.execute(sql.SQL("SELECT count(*) FROM {}").format(_identifier(name)))
        return int(_first(asked)), True
    except psycopg.errors.QueryCanceled:
        asked.execute(
            "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(%s)",
            [_identifier(name).as_string(asked)],
        )
        return int(_first(asked)), False


def _newest(asked: psycopg.Cursor[Any], name: str, column: str) -> datetime | None:
    """When the newest row came; None where there is none, or where no index tells it in time."""
    try:
        asked.execute(sql.SQL("SELECT max({}) FROM {}").format(sql.Identifier(column), _identifier(name)))
    except psycopg.errors.QueryCanceled:
        return None
    return _aware(_first(asked))


def _identifier(name: str) -> sql.Identifier:
    """The table of a name that may have its schema before it."""
    return sql.Identifier(*name.split("."))


def _first(asked: psycopg.Cursor[Any]) -> Any:
    return (asked.fetchone() or (None,))[0]
