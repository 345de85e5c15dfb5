"""The ledgers that the event processor has skipped: a gap in its rows and in its account of what it has read."""

import os
import time

import psycopg

from novaops.sandbox.ailments import ailments
from novaops.sandbox.aws import ecs, logs
from novaops.sandbox.journal import journal
from novaops.sandbox.ledgers import network
from novaops.sandbox.processor import LOG_GROUP, mark_read, write_events
from novaops.sandbox.running import running
from novaops.sandbox.world import world

Gap = tuple[int, int]
# How many ledgers are skipped, and how many were read behind them.
SKIPPED, READ_SINCE = 20, 20
LOOK_S = 0.5
TIMEOUT_S = 1
# The newest range that was read, and its first ledger with an event.
READ = (
    "SELECT first, last, (SELECT min(ledger) FROM contract_events WHERE ledger >= first) "
    "FROM event_ranges ORDER BY last DESC LIMIT 1"
)
OPEN = (
    "SELECT EXISTS (SELECT FROM (SELECT last, lead(first) OVER (ORDER BY first) AS next FROM event_ranges) AS pairs "
    "WHERE next > last + 1 AND last < %s AND next > %s)"
)


def behind(ledger: int) -> Gap:
    """The gap that a processor which has read up to `ledger` gets: first and last ledger."""
    return ledger - READ_SINCE - SKIPPED + 1, ledger - READ_SINCE


class Gaps:
    """Makes the gap that a scenario asks for, and notices when a replay has filled it."""

    def __init__(self) -> None:
        self._next = 0.0

    def keep_in_step(self) -> None:
        """Look at the real rows, every now and then, while a gap is wanted or open. Raises psycopg.Error."""
        if not (ailments.skips or ailments.gap) or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_S
        with world.lock:
            skips, gap = ailments.skips, ailments.gap
        if skips and (made := make()):
            note(made)
        if gap and not is_open(gap):
            note(None)


def note(gap: Gap | None) -> None:
    """A gap has come or, with None, was filled; replayed from the journal like a request."""
    with world.lock, world.at(world.now()):
        world.advance()
        journal.write("gap", gap=gap)
        ailments.skips, ailments.gap = False, gap
        if gap is None:
            return
        for task in running(ecs.PROCESSOR):
            line = f"WARNING getEvents left out ledgers {gap[0]} to {gap[1]}: going on behind them"
            logs.write(LOG_GROUP, f"processor/processor/{task.id}", line)


def make() -> Gap | None:
    """Take the events of some ledgers away. None where the processor has not read enough yet.

    It has once an event is stored before the gap: without one it could not be told from where the processor began.
    """
    with psycopg.connect(_dsn(), connect_timeout=TIMEOUT_S) as connection:
        # The processor joins ranges as it reads on: not between these statements.
        connection.execute("LOCK TABLE event_ranges IN EXCLUSIVE MODE")
        row = connection.execute(READ).fetchone()
        if row is None or row[2] is None or row[2] >= behind(row[1])[0]:
            return None
        first, last = behind(row[1])
        connection.execute("UPDATE event_ranges SET last = %s WHERE first = %s", [first - 1, row[0]])
        connection.execute("INSERT INTO event_ranges (first, last) VALUES (%s, %s)", [last + 1, row[1]])
        connection.execute("DELETE FROM contract_events WHERE ledger BETWEEN %s AND %s", [first, last])
    return first, last


def is_open(gap: Gap) -> bool:
    """Whether some of these ledgers have not been read yet."""
    with psycopg.connect(_dsn(), connect_timeout=TIMEOUT_S) as connection:
        return connection.execute(OPEN, [gap[1], gap[0]]).fetchone() == (True,)


def fill(first: int, last: int) -> None:
    """Write what was skipped, as if it had been read."""
    events = [event for ledger in range(first, last + 1) for _, event in network.events(ledger)]
    with psycopg.connect(_dsn(), connect_timeout=TIMEOUT_S) as connection:
        write_events(connection, events)
        mark_read(connection, first, last)


def _dsn() -> str:
    return os.environ["NOVA_DATABASE_URL"]


gaps = Gaps()
