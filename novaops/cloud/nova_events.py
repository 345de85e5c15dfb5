"""What the event processor stored in Nova's database: which events, and where it is suspiciously silent."""

from psycopg import sql

from novaops.cloud.nova_db import cursor as reading


def silences(dsn: str, table: str, first: int, last: int, *, longer_than: int, most: int) -> list[tuple[int, int]]:
    """The longest stretches of ledgers between `first` and `last` without any stored event, longest first.

    A quiet contract has silences, too: whether one is a gap only the RPC can tell. What lies before the first
    stored event is none: the processor began there. Raises OutsideError.
    """
    with reading(dsn) as asked:
        asked.execute(
            sql.SQL(
                "SELECT began, ended FROM ("
                " SELECT lag(ledger) OVER (ORDER BY ledger) + 1 AS began, ledger - 1 AS ended FROM ("
                "  SELECT DISTINCT ledger FROM {table} WHERE ledger BETWEEN %(first)s AND %(last)s"
                "  UNION SELECT %(last)s::bigint + 1) AS eventful) AS stretches"
                " WHERE ended - began >= %(longer_than)s ORDER BY ended - began DESC, began LIMIT %(most)s"
            ).format(table=sql.Identifier(table)),
            {"first": first, "last": last, "longer_than": longer_than, "most": most},
        )
        return [(int(began), int(ended)) for began, ended in asked.fetchall()]


def stored(dsn: str, table: str, ids: list[str]) -> set[str]:
    """Those of the event ids that are in the table. Raises OutsideError."""
    with reading(dsn) as asked:
        asked.execute(sql.SQL("SELECT event_id FROM {} WHERE event_id = ANY(%s)").format(sql.Identifier(table)), [ids])
        return {str(event_id) for (event_id,) in asked.fetchall()}
