"""manage.py run_states: print the life of a run as the Mermaid diagram of docs/architecture.md."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand

from novaops.runbook.states import FINISHED, TRANSITIONS, RunStatus

STARTS = (RunStatus.QUEUED, RunStatus.AWAITING_APPROVAL)


def diagram() -> str:
    """The table of transitions; that a run stays in a state for its next step is left out."""
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in _lines())])


def _lines() -> Iterator[str]:
    yield from (f"[*] --> {status.value}" for status in STARTS)
    for before in RunStatus:
        yield from (f"{before.value} --> {after.value}" for after in RunStatus if after in _onward(before))
    yield from (f"{status.value} --> [*]" for status in FINISHED)


def _onward(status: RunStatus) -> frozenset[RunStatus]:
    return TRANSITIONS[status] - {status}


class Command(BaseCommand):
    """What it prints stands in docs/architecture.md, and a test compares the two."""

    help = "Print the states of a run and the transitions between them as a Mermaid state diagram."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(diagram())
