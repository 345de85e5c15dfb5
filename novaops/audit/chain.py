"""Writes and verifies the chain: sha256 over the previous hash and the entry's canonical JSON."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction

from novaops.audit.models import Entry

GENESIS = "0" * 64
# Any constant works: it only has to be the same for every writer of the chain.
WRITER_LOCK = 4_158_201
HASHED = (
    *("seq", "at", "actor", "actor_id", "via", "verb", "subject"),
    *("environment", "reason", "incident", "run", "detail_json"),
)
SYSTEM = "system"
# By which door the decisions of this moment came in, where the caller does not say.
_door: ContextVar[str] = ContextVar("door", default="page")
BATCH = 5_000
# Made once: json.dumps would make an encoder for each of a million entries.
_canonical = json.JSONEncoder(separators=(",", ":")).encode


class NotAtomic(RuntimeError):
    """An entry was to be written outside of the transaction that makes what it records."""


def record(
    verb: str,
    *,
    by: User | None,
    subject: str,
    environment: str = "",
    via: str = "",
    reason: str = "",
    incident: int | None = None,
    run: int | None = None,
    detail: dict[str, Any] | None = None,
) -> Entry:
    """Append an entry in the current transaction; call it last, as it holds the chain's lock until the commit.

    `by` is None for the system itself; `via` is the page, or what `through` says. Raises NotAtomic outside of a
    transaction.
    """
    if not connection.in_atomic_block:
        raise NotAtomic(f"{verb} must be recorded in the transaction that makes it")
    seq, prev_hash, now = _head()
    entry = Entry(
        seq=seq + 1,
        at=now,
        actor=by.get_username() if by else SYSTEM,
        actor_id=by.pk if by else None,
        via=via or _door.get(),
        verb=verb,
        subject=subject[:300],
        environment=environment,
        reason=reason,
        incident=incident,
        run=run,
        detail_json=json.dumps(detail or {}, sort_keys=True, default=str),
        prev_hash=prev_hash,
    )
    entry.hash = _hash(prev_hash, tuple(getattr(entry, name) for name in HASHED))
    entry.save(force_insert=True)
    return entry


@contextmanager
def through(door: str) -> Iterator[None]:
    """Record what is decided inside as having come in by that door, such as `api:<token>`."""
    before = _door.set(door)
    try:
        yield
    finally:
        _door.reset(before)


def _head() -> tuple[int, str, datetime]:
    """The last entry's number and hash, and the database's clock, under the writer's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITER_LOCK])
        cursor.execute(
            "SELECT coalesce(max(seq), 0), (SELECT hash FROM audit_entry ORDER BY seq DESC LIMIT 1), clock_timestamp()"
            " FROM audit_entry"
        )
        seq, prev_hash, now = cursor.fetchone()
    return seq, prev_hash or GENESIS, now


def _hash(prev_hash: str, values: tuple[Any, ...]) -> str:
    seq, at, *rest = values
    body = _canonical([seq, at.astimezone(UTC).isoformat(), *rest])
    return hashlib.sha256(f"{prev_hash}{body}".encode()).hexdigest()


@dataclass(frozen=True)
class Verification:
    """What `verify` found: how many entries hold, the head, and the first broken entry with the reason."""

    entries: int
    head_hash: str
    broken_seq: int | None = None
    reason: str = ""


def verify() -> Verification:
    """Walk the whole chain, streaming; stops at the first entry that does not follow from the one before."""
    expected, count, prev_hash = 1, 0, GENESIS
    for *values, stored_prev, stored in _rows():
        seq = values[0]
        reason = _defect(expected, prev_hash, tuple(values), stored_prev, stored)
        if reason:
            return Verification(count, prev_hash, broken_seq=min(seq, expected), reason=reason)
        expected, count, prev_hash = seq + 1, count + 1, stored
    return Verification(count, prev_hash)


def _defect(expected: int, prev_hash: str, values: tuple[Any, ...], stored_prev: str, stored: str) -> str:
    if values[0] != expected:
        return f"entry {expected} is missing"
    if stored_prev != prev_hash:
        return "it does not name the entry before it"
    if _hash(prev_hash, values) != stored:
        return "its content was changed"
    return ""


def _rows() -> Iterator[tuple[Any, ...]]:
    columns = ", ".join((*HASHED, "prev_hash", "hash"))
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM audit_entry ORDER BY seq")  # noqa: S608 - columns are constants
        while rows := cursor.fetchmany(BATCH):
            yield from rows


def head() -> tuple[int, str]:
    """Number and hash of the newest entry: (0, zeros) where there is none."""
    newest = Entry.objects.order_by("-seq").values_list("seq", "hash").first()
    return newest or (0, GENESIS)


def contains(seq: int, digest: str) -> bool:
    """Whether entry `seq` has the hash that was published outside: false where the chain's end was cut off."""
    return Entry.objects.filter(seq=seq, hash=digest).exists()
