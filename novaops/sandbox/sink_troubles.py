"""What may befall a message on its way to a sink: refused before or after its effect, dropped, late, throttled."""

import socket
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["throttle", "error-before", "error-after", "drop-before", "drop-after", "hang-after"]
BEFORE: tuple[Kind, ...] = ("throttle", "error-before", "drop-before")
DROPS: tuple[Kind, ...] = ("drop-before", "drop-after")


@dataclass
class Trouble:
    """Befalls the next `times` requests whose path has `path` in it; without a path, those that change something."""

    kind: Kind
    path: str = ""
    times: int = 1
    seconds: float = 1.0


@dataclass
class Troubles:
    """The troubles that are still to come."""

    waiting: list[Trouble] = field(default_factory=list)

    def set(self, troubles: list[dict[str, Any]]) -> None:
        """Replace every trouble; an empty list clears."""
        self.waiting = [Trouble(**trouble) for trouble in troubles]

    def take(self, path: str, *, changes: bool) -> Trouble | None:
        """What befalls this request, counted down; None where it goes well."""
        for trouble in self.waiting:
            if trouble.path in path and (trouble.path or changes):
                trouble.times -= 1
                if trouble.times <= 0:
                    self.waiting.remove(trouble)
                return trouble
        return None


def drop(connection: socket.socket | None) -> None:
    """Close the client's connection without an answer."""
    if connection:
        connection.shutdown(socket.SHUT_RDWR)
