"""The one status vocabulary: nothing else in NovaOps names, draws or colours a state."""

from enum import StrEnum


class State(StrEnum):
    """How a service, an alert, a run or all of Nova is. Each has its word, its shape and its fill; colour is third."""

    OK = "ok"
    WARN = "warn"
    CRIT = "crit"
    UNKNOWN = "unknown"
    STALE = "stale"
    MAINT = "maint"
    RUN = "run"
    APPROVE = "approve"

    @property
    def word(self) -> str:
        """What a reader sees and a screen reader says."""
        return WORDS[self]

    @property
    def icon(self) -> str:
        """The octicon that stands beside the word."""
        return ICONS[self]


WORDS = {
    State.OK: "Healthy",
    State.WARN: "Degraded",
    State.CRIT: "Critical",
    State.UNKNOWN: "No data",
    State.STALE: "Stale",
    State.MAINT: "Maintenance",
    State.RUN: "Running",
    State.APPROVE: "Needs approval",
}
ICONS = {
    State.OK: "check-circle-fill",
    State.WARN: "alert-fill",
    State.CRIT: "stop",
    State.UNKNOWN: "question",
    State.STALE: "clock",
    State.MAINT: "tools",
    State.RUN: "sync",
    State.APPROVE: "shield-lock",
}
# How the status of a run looks, and its own word.
RUNS = {
    "awaiting_approval": (State.APPROVE, "Needs approval"),
    "queued": (State.RUN, "Queued"),
    "running": (State.RUN, "Running"),
    "verifying": (State.RUN, "Verifying"),
    "succeeded": (State.OK, "Succeeded"),
    "failed": (State.CRIT, "Failed"),
    "canceled": (State.UNKNOWN, "Canceled"),
    "expired": (State.UNKNOWN, "Expired"),
    "unknown": (State.WARN, "Outcome unknown"),
}
# The stages from a button to a known outcome, and which of them a run of each status is at (4: all are over).
STAGES = ("Preview", "Confirm", "Progress", "Verify")
RUN_STAGES = {
    "awaiting_approval": 1,
    "queued": 2,
    "running": 2,
    "verifying": 3,
    "succeeded": 4,
    "failed": 2,
    "canceled": 2,
    "expired": 1,
    "unknown": 2,
}
# The mark before a step of a run, a precheck or a step of the checklist: its icon and what a screen reader says.
MARKS = {
    "pending": ("circle", "to do"),
    "running": ("sync", "running"),
    "done": ("check", "done"),
    "passed": ("check", "passed"),
    "failed": ("x", "failed"),
    "warning": ("alert", "warning"),
    "unknown": ("question", "outcome unknown"),
    "skipped": ("skip", "skipped"),
    "overridden": ("law", "overridden"),
}
# The octicon of each service, and of each kind of change on the overview.
SERVICES = {"api": "server", "database": "database", "cache": "zap", "events": "pulse"}
CHANGES = {"alert": "bell", "run": "play", "deployment": "rocket", "incident": "flame", "state": "graph"}
