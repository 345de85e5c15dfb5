"""Planning a replay: what the processor missed, from which ledger to read again, and for how long that is possible."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from dashboard import rpcs
from dashboard.templatetags.nova import duration
from novaops.cloud import nova_db, nova_events, stellar_rpc
from novaops.cloud.errors import OutsideError
from novaops.environment import Environment
from novaops.runbook.action import Precheck

# The oldest ledger moves on while a deployment takes its minutes (FACTS A5).
MARGIN_LEDGERS = 200
# How many ledgers the RPC looks through for one page (FACTS A4).
SCAN_LEDGERS = 10_000
PAGE_EVENTS = 1000
# A contract is rarely silent for longer by itself; only what the RPC confirms counts as a gap.
SILENT_LEDGERS = 5
MOST_SILENCES = 6
# A count ends after so long: a worker's step is cut at 25 s.
COUNT_S = 9.0
GAP_COUNT_S = 1.5


@dataclass
class Count:
    """Events of the ledgers `first` to `counted_to` at an RPC against those stored."""

    first: int
    counted_to: int
    missing: int = 0
    duplicates: int = 0
    first_missing: int | None = None

    def plus(self, following: "Count") -> "Count":
        """Both as one: `following` begins where this one ended."""
        return Count(
            self.first,
            following.counted_to,
            self.missing + following.missing,
            self.duplicates + following.duplicates,
            following.first_missing if self.first_missing is None else self.first_missing,
        )


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Ledgers with events that were never stored; `known_to` are the RPCs that have them."""

    first: int
    last: int
    known_to: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a replay hangs on and what moves by itself; `ledger_s` is the measured time between two ledgers."""

    cursor: int
    latest: int
    oldest: int
    ledger_s: float
    gaps: tuple[Gap, ...] = field(default=())

    @property
    def suggestion(self) -> int:
        """From where to replay: the first gap, or else right behind the last confirmed ledger."""
        return min([gap.first for gap in self.gaps] + [self.cursor + 1])


def survey(environment: Environment, reads: str) -> Survey:
    """Ask the database and the RPC that the processor reads. Raises OutsideError where one does not answer."""
    health = stellar_rpc.health(rpcs.address(environment, reads) or "")
    cursor = nova_db.processed_ledger(environment.database.dsn, environment.events.cursor_table)
    return Survey(
        cursor=cursor,
        latest=health.latest_ledger,
        oldest=health.oldest_ledger,
        ledger_s=health.ledger_s,
        gaps=tuple(_gaps(environment, health.oldest_ledger, cursor)),
    )


def _gaps(environment: Environment, oldest: int, cursor: int) -> Iterator[Gap]:
    """The longest silences in which an RPC has events that are not stored, the oldest first."""
    silent = nova_events.silences(
        environment.database.dsn,
        environment.events.events_table,
        oldest,
        cursor,
        longer_than=SILENT_LEDGERS,
        most=MOST_SILENCES,
    )
    for first, last in sorted(silent):
        begins = {which: began for which in rpcs.DECLARED if (began := _first_missing(environment, which, first, last))}
        if begins:
            yield Gap(first=min(begins.values()), last=last, known_to=tuple(begins))


def _first_missing(environment: Environment, which: str, first: int, last: int) -> int | None:
    """Where at this RPC the first event stands that is not stored; None also where the RPC cannot be asked."""
    try:
        return count(environment, which, first, last, limit_s=GAP_COUNT_S).first_missing
    except OutsideError:
        return None


def count(environment: Environment, which: str, first: int, last: int, *, limit_s: float | None = None) -> Count:
    """Compare page by page, for `limit_s` (COUNT_S) seconds at most: see `counted_to`. Raises OutsideError."""
    counted, until = Count(first, first - 1), monotonic() + (COUNT_S if limit_s is None else limit_s)
    begun: list[tuple[str, int]] = []
    for page, done_to in _pages(rpcs.address(environment, which) or "", first, last, environment.events.contract_ids):
        # A ledger of which a page has only the beginning is counted whole, with the page that ends it.
        events, begun = _split([*begun, *page], done_to)
        ids = [event_id for event_id, _ in events]
        known = nova_events.stored(environment.database.dsn, environment.events.events_table, ids)
        missing = [ledger for event_id, ledger in events if event_id not in known]
        counted.missing += len(missing)
        counted.duplicates += len(events) - len(missing)
        if missing and counted.first_missing is None:
            counted.first_missing = missing[0]
        counted.counted_to = done_to
        if monotonic() > until:
            break
    return counted


def _split(events: list[tuple[str, int]], ledger: int) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Those up to the ledger, and those of later ones."""
    return [event for event in events if event[1] <= ledger], [event for event in events if event[1] > ledger]


def _pages(url: str, first: int, last: int, contracts: tuple[str, ...]) -> Iterator[tuple[list[tuple[str, int]], int]]:
    """The events of the ledgers `first` to `last`, with the ledger up to which a page goes."""
    if not url or first > last:
        return
    page = stellar_rpc.events(url, start=first, limit=PAGE_EVENTS, contracts=contracts)
    while True:
        # The last ledger of a full page may have more events on the next.
        done_to = page.ledger - 1 if len(page.events) == PAGE_EVENTS else page.ledger
        yield [event for event in page.events if event[1] <= last], min(done_to, last)
        if done_to >= last:
            return
        following = stellar_rpc.events(url, cursor=page.cursor, limit=PAGE_EVENTS, contracts=contracts)
        if following.cursor == page.cursor:
            return
        page = following


def retention(start: int, now: dict[str, Any], reads: str) -> Precheck:
    """Whether the RPC will still have the first ledger when the new task asks for it, and until when it has."""
    oldest, latest, ledger_s = now["oldest"], now["latest"], now["ledger_s"]
    headroom_s = (start - oldest) * ledger_s
    if start >= oldest + MARGIN_LEDGERS:
        return Precheck(
            state="warning" if headroom_s < 2 * 3600 and start <= now["cursor"] else "passed",
            sentence=f"The {reads} RPC retains ledgers {oldest} - {latest}: {start} is unreplayable in "
            f"{duration(headroom_s)}.",
        )
    return Precheck(
        state="failed",
        sentence=f"The {reads} RPC retains ledgers {oldest} - {latest} and drops one every {ledger_s:.2g} s: "
        f"{start} is gone, or too near to the end (a margin of {MARGIN_LEDGERS} ledgers is kept). It could be had from "
        "another provider with a longer retention, from an archive that serves getLedgers, or from the data lake "
        f"(Galexie, Hubble). To accept the loss, replay from {oldest + MARGIN_LEDGERS} or later.",
    )
