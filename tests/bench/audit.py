"""The audit chain: verifying a million entries (bar 15 s), and how fast eight writers append."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter

from django.db import connection, transaction

from novaops.audit import chain
from novaops.audit.models import Entry

ENTRIES = 1_000_000
# So many by one statement, which may not take longer than 15 s.
AT_ONCE = 100_000
WRITERS = 8
WRITE_FOR_S = 5.0
COLUMNS = ("seq", "at", "actor", "actor_id", "via", "verb", "subject", "environment", "reason", "incident", "run")


def figures() -> Iterator[str]:
    """One line for each measurement."""
    yield f"audit: {_appended() / WRITE_FOR_S:,.0f} entries/s by {WRITERS} writers, a transaction each"
    _fill()
    began = perf_counter()
    verified = chain.verify()
    took_s = perf_counter() - began
    if verified.broken_seq is not None:
        raise RuntimeError(f"{verified.broken_seq}: {verified.reason}")
    yield f"audit_verify of {verified.entries:,} entries: {took_s:.1f} s (bar 15 s)"


def _appended() -> int:
    until, counts = perf_counter() + WRITE_FOR_S, [0] * WRITERS

    def write(number: int) -> None:
        while perf_counter() < until:
            with transaction.atomic():
                chain.record("bench.written", by=None, subject="a bench", detail={"writer": number})
            counts[number] += 1
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def _fill() -> None:
    """Entries as the engine writes them, up to ENTRIES, by COPY."""
    while Entry.objects.count() < ENTRIES:
        _fill_some(min(ENTRIES, chain.head()[0] + AT_ONCE))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_entry")


def _fill_some(last: int) -> None:
    head, prev_hash = chain.head()
    at, detail = datetime.now(UTC), json.dumps({"operation": "ecs:UpdateService", "attempt": 1, "step": "deploy"})
    copy = f"COPY audit_entry ({', '.join((*COLUMNS, 'detail_json', 'prev_hash', 'hash'))}) FROM STDIN"
    with transaction.atomic(), connection.cursor() as cursor, cursor.copy(copy) as rows:
        for seq in range(head + 1, last + 1):
            moment = at + timedelta(microseconds=seq)
            values = (seq, moment, "system", None, "engine", "effect.ok", "restart-api on nova-api", "sandbox", "")
            values += (None, seq // 7, detail)
            own = chain._hash(prev_hash, values)
            rows.write_row((*values, prev_hash, own))
            prev_hash = own
