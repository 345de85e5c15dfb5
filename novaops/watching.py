"""What an app lets the dashboard watch of a service: numbers from its own rows, and the rules over them.

The dashboard and the other apps beside it do not know each other; both know this. The dashboard asks every watcher once
a round, keeps what it tells as samples, and fires and clears its alerts as those of its own rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from novaops.environment import Environment, ServiceKind


@dataclass(frozen=True, kw_only=True)
class Watch:
    """A number, and above which threshold for how long it is an alert; the fields of a rule mean what they mean there.

    `resources` are the things that it is told of, each an alert of its own; one nameless thing where there are none.
    """

    key: str
    title: str
    unit: str
    # The sentence of an alert; {value} and {threshold} are filled in.
    says: str
    above: float
    for_s: int
    severity: Literal["crit", "warn"] = "crit"
    clear_for_s: float | None = None
    section: str
    causes: tuple[str, ...]
    offers: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()

    @property
    def series(self) -> str:
        """The name of its series."""
        return self.key.replace("-", "_")


@dataclass(frozen=True, kw_only=True)
class Note:
    """A line of the overview: of what, in which state (of the one vocabulary), since when, and where more is."""

    label: str
    text: str
    state: str
    at: datetime | None
    url: str


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an app knows now: numbers by (series, resource), and lines for the overview."""

    values: Mapping[tuple[str, str], float] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """An app's share in watching a service. `source` says where its numbers come from.

    `watches` tells what it watches in an environment; `read` what it knows now. A number that it does not know, or only
    knows from long ago, is left out: that is told by a watch of its own.
    """

    service: ServiceKind
    source: str
    watches: Callable[[Environment], tuple[Watch, ...]]
    read: Callable[[Environment, datetime], Told]


watchers: list[Watcher] = []


def of_service(kind: str) -> list[Watcher]:
    """Every app's share in watching a kind of service."""
    return [watcher for watcher in watchers if watcher.service == kind]
