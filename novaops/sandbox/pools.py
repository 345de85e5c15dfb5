"""The connections that the simulated API tasks really hold open in Nova's database."""

import itertools
import select
from dataclasses import dataclass, field
from typing import Any

import psycopg

APPLICATION = "nova-api"
CONNECT_TIMEOUT_S = 1
FULL = ("too many clients", "too many connections", "remaining connection slots")
# What an idle connection is seen to have asked last.
QUERIES = (
    "SELECT points FROM users WHERE id = 417",
    "SELECT id, title FROM campaigns WHERE merchant_id = 12 AND ends_at > now()",
    "SELECT sum(points) FROM transactions WHERE user_id = 417",
    "SELECT points FROM redemptions WHERE user_id = 417 ORDER BY created_at DESC LIMIT 20",
)
Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Wish:
    """What a task wants of its pool: `size` connections kept, and `loses` more a round, up to `most_lost`."""

    size: int
    loses: float = 0.0
    most_lost: int = 0


@dataclass
class Pool:
    """The connections of one task: those it uses again and again, and those it lost and never closes."""

    dsn: str
    kept: list[Connection] = field(default_factory=list)
    lost: list[Connection] = field(default_factory=list)
    _owed: float = 0.0
    _asked: "itertools.cycle[str]" = field(default_factory=lambda: itertools.cycle(QUERIES))

    def tend(self, wish: Wish) -> None:
        """One round: forget what the server cut, open what is missing. Raises OperationalError where it is refused."""
        self.kept = [each for each in self.kept if is_open(each)]
        self.lost = [each for each in self.lost if is_open(each)]
        if not wish.loses:
            _close(self.lost, 0)
        _close(self.kept, wish.size)
        if self.kept:
            self.kept.append(self.kept.pop(0))
            self.kept[-1].execute(next(self._asked))
        while len(self.kept) < wish.size:
            self.kept.append(self._opened())
        # What was refused is tried again in the next round, but nothing piles up.
        self._owed = min(self._owed, 1.0) + wish.loses
        while self._owed >= 1 and len(self.lost) < wish.most_lost:
            self.lost.append(self._opened())
            self._owed -= 1

    def _opened(self) -> Connection:
        connection = psycopg.connect(
            self.dsn,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=APPLICATION,
            options="-c statement_timeout=1000",
        )
        try:
            connection.execute(next(self._asked))
        except psycopg.Error:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """The task has stopped."""
        _close(self.kept, 0)
        _close(self.lost, 0)


class Pools:
    """The pools of all running tasks. `full`: in the last round the database had no slot left for one of them."""

    def __init__(self) -> None:
        self.full = False
        self._pools: dict[str, Pool] = {}

    def tend(self, dsn: str, wishes: dict[str, Wish]) -> None:
        """One round over every task. Raises OperationalError where the database cannot be reached."""
        for gone in self._pools.keys() - wishes.keys():
            self._pools.pop(gone).close()
        full = False
        for task, wish in wishes.items():
            try:
                self._pools.setdefault(task, Pool(dsn)).tend(wish)
            except psycopg.OperationalError as failure:
                if not any(words in str(failure) for words in FULL):
                    raise
                full = True
        self.full = full


def is_open(connection: Connection) -> bool:
    """Whether the server still holds it: it says nothing to an idle client but that it is gone."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP)
    if poll.poll(0):
        connection.close()
    return not connection.closed


def _close(connections: list[Connection], keep: int) -> None:
    while len(connections) > keep:
        connections.pop().close()
