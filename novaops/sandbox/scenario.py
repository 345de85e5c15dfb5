"""What every scenario of the sandbox is: an illness of the simulated Nova that knows when it is over."""

from datetime import datetime
from typing import ClassVar

from novaops.sandbox.world import world


class Scenario:
    """One illness. `start` makes the world ill, `watch` notices that it is over and says by what, `stop` cleans up."""

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self) -> None:
        self.started_at = world.now()
        self.state = "active"
        self.by: str | None = None
        self.ended_at: datetime | None = None

    def start(self) -> None:
        """Make the world ill."""

    def watch(self) -> None:
        """Look at the world after it moved on, and `end` where the illness is over."""

    def stop(self) -> None:
        """Undo what the world would not undo by itself: another scenario starts."""

    def end(self, by: str) -> None:
        """It is over, for good."""
        self.state, self.by, self.ended_at = "ended", by, world.now()

    def relieve(self, by: str | None) -> None:
        """It hurts less while `by` holds, though its cause is still there; None where it hurts as before."""
        self.state, self.by = "relieved" if by else "active", by

    def lasted_s(self) -> float:
        """For how long it has been going on, in simulated seconds."""
        return (world.now() - self.started_at).total_seconds() * world.factor
