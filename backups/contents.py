"""Proving a restored database by asking it: its version and schema, the rows of the key tables, and which are lost."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from novaops.cloud import nova_contents
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment
from novaops.runbook.action import Context, Progress, Verdict, Verify
from novaops.words import are, counted

# The step that connects; those of the tables follow it, each under its own key.
CONNECT, OF_TABLE = "connect", "rows-of-"
# A restored instance answers a while after RDS calls it available: its name has to become known, its disk to warm.
ANSWERS_WITHIN_S = 900.0
NO_SUCH_TABLE = "42P01"
Endpoint = dict[str, Any]


def steps(environment: Environment, instance_step: str) -> Iterable[Verify]:
    """Connect, then look at each key table. The step `instance_step` resulted in `instance`, `host` and `port`."""
    yield Verify(
        key=CONNECT,
        title="PostgreSQL answers in the new instance",
        look=partial(_connect, instance_step),
        timeout_s=ANSWERS_WITHIN_S,
    )
    for number, name in enumerate(environment.database.key_tables, 1):
        yield Verify(
            key=f"{OF_TABLE}{number}",
            title=f"The rows of {name}, beside production's",
            look=partial(_table, instance_step, name),
            timeout_s=ANSWERS_WITHIN_S,
        )
    yield Verify(key="loss", title="What is lost by it", look=_loss, timeout_s=60)


def _dsn(ctx: Context, instance_step: str) -> str:
    database, where = ctx.environment.database, ctx.results[instance_step]
    return nova_contents.dsn_of(
        database.dsn,
        database.restores.dsn_template,
        instance=where["instance"],
        host=where["host"],
        port=where["port"],
    )


def _connect(instance_step: str, ctx: Context) -> Progress:
    found = nova_contents.schema(_dsn(ctx, instance_step))
    same = _same_schema(ctx, found)
    sentence = f"PostgreSQL {found.version} answers with {counted(found.tables, 'table')}{_of_schema(same)}."
    result = {"version": found.version, "tables": found.tables, "same_schema": same}
    return Progress(verdict=Verdict.DONE, sentence=sentence, result=result)


def _same_schema(ctx: Context, found: nova_contents.Schema) -> bool | None:
    """Whether production has the same columns; None where it does not answer, as in the incident itself."""
    try:
        return nova_contents.schema(ctx.environment.database.dsn).fingerprint == found.fingerprint
    except OutsideError:
        return None


def _of_schema(same: bool | None) -> str:
    if same is None:
        return "; production does not answer, so its schema is not compared"
    return ", each as in production" if same else "; their columns differ from production's"


def _table(instance_step: str, name: str, ctx: Context) -> Progress:
    column = ctx.environment.database.restores.newest_by.get(name, "")
    try:
        found = nova_contents.table(_dsn(ctx, instance_step), name, column)
    except OutsideError as failure:
        if failure.code == NO_SUCH_TABLE:
            return Progress(verdict=Verdict.FAILED, sentence=f"The new instance has no table {name}.")
        raise
    lost, why_not = _lost(ctx, found)
    return Progress(verdict=Verdict.DONE, sentence=_sentence(found, lost, why_not), result=_result(found, lost))


def _lost(ctx: Context, found: nova_contents.Table) -> tuple[nova_contents.Newer | None, str]:
    """What production has and the new instance does not; None and why where that is not known."""
    if not found.column:
        return None, "no column says when a row came"
    try:
        return nova_contents.newer(ctx.environment.database.dsn, found.name, found.column, found.newest_at), ""
    except OutsideError as failure:
        return None, f"what is lost is not known: {failure}"


def _sentence(found: nova_contents.Table, lost: nova_contents.Newer | None, why_not: str) -> str:
    rows = f"{'' if found.exact else 'about '}{counted(found.rows, 'row')}"
    newest = f", the newest of {told(found.newest_at)}" if found.newest_at else ""
    if lost is None:
        return f"{found.name}: {rows}{newest}; {why_not}."
    if not lost.rows or not lost.first_at or not lost.last_at:
        return f"{found.name}: {rows}{newest}; production has none that is newer."
    return (
        f"{found.name}: {rows}{newest}; {counted(lost.rows, 'row')} of production {are(lost.rows)} not in it, "
        f"from {told(lost.first_at)} to {told(lost.last_at)}."
    )


def _result(found: nova_contents.Table, lost: nova_contents.Newer | None) -> dict[str, Any]:
    return {
        "name": found.name,
        "rows": found.rows,
        "exact": found.exact,
        "column": found.column,
        "newest_at": _text(found.newest_at),
        "lost_rows": lost.rows if lost else None,
        "lost_from": _text(lost.first_at) if lost else None,
        "lost_until": _text(lost.last_at) if lost else None,
    }


def _loss(ctx: Context) -> Progress:
    """The tables together, in the sentence that the run ends with."""
    tables = [found for key, found in ctx.results.items() if key.startswith(OF_TABLE)]
    known = [table for table in tables if table["lost_rows"] is not None]
    newest = max((table["newest_at"] for table in tables if table["newest_at"]), default="")
    until = f" Its newest row is of {told(datetime.fromisoformat(newest))}." if newest else ""
    return Progress(verdict=Verdict.DONE, sentence=f"Proven: {_of_loss(known)}.{until}")


def _of_loss(known: list[Mapping[str, Any]]) -> str:
    if not known:
        return "what is lost is not known, as production was not asked or has no column of times"
    rows = sum(table["lost_rows"] for table in known)
    ends = [table[name] for table in known for name in ("lost_from", "lost_until") if table[name]]
    if not rows or not ends:
        return "no row of production is missing"
    first, last = (datetime.fromisoformat(pick(ends)) for pick in (min, max))
    return f"{counted(rows, 'row')} of production {are(rows)} missing, from {told(first)} to {told(last)}"


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def told(moment: datetime) -> str:
    """A moment as sentences have it, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
