"""The simulated world's clock, schedule, identifiers and lock. Same seed and same calls: same world."""

import heapq
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

DEFAULT_FACTOR = 20.0


class World:
    """Time and chance of one simulated Nova.

    Simulated durations are given in simulated seconds and pass `factor` times faster. Everything that changes by
    itself is scheduled with `later`, and happens in order when `advance` is called (each request and each tick do).
    """

    def __init__(self, *, seed: int = 1, factor: float = DEFAULT_FACTOR) -> None:
        self.lock = threading.RLock()
        self._frozen: datetime | None = None
        self.reset(seed=seed, factor=factor)

    def reset(self, *, seed: int, factor: float) -> None:
        """Forget everything that was to happen, and draw the same identifiers again."""
        self.seed = seed
        self.factor = factor
        self._random = random.Random(seed)  # noqa: S311 - a reproducible world, not a secret
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The world's time, aware UTC: the real time, but inside `at` and inside a scheduled change."""
        return self._frozen or datetime.now(UTC)

    def seconds(self, simulated_s: float) -> float:
        """How many real seconds `simulated_s` simulated ones take."""
        return simulated_s / self.factor

    def later(self, simulated_s: float, change: Callable[[], None]) -> None:
        """Let `change` happen after so many simulated seconds."""
        due = self.now() + timedelta(seconds=self.seconds(simulated_s))
        heapq.heappush(self._due, (due, next(self._order), change))

    def advance(self) -> None:
        """Let everything happen whose time has come, in order, each at its own time."""
        with self.lock:
            until = self.now()
            while self._due and self._due[0][0] <= until:
                due, _, change = heapq.heappop(self._due)
                with self.at(due):
                    change()

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Inside, `now` is `moment`: for scheduled changes, and for replaying the journal of an earlier world."""
        before, self._frozen = self._frozen, moment
        try:
            yield
        finally:
            self._frozen = before

    def hex_id(self, length: int) -> str:
        """A reproducible identifier of `length` hexadecimal digits."""
        with self.lock:
            return f"{self._random.getrandbits(4 * length):0{length}x}"

    def digits(self, length: int) -> str:
        """A reproducible identifier of `length` decimal digits, not starting with 0."""
        with self.lock:
            return str(self._random.randrange(10 ** (length - 1), 10**length))

    def jitter(self, value: float, share: float = 0.05) -> float:
        """`value`, give or take a reproducible share of it."""
        with self.lock:
            return value * (1 + self._random.uniform(-share, share))


world = World()
