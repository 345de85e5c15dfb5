"""The four severities: what each means, how often people are told, and whether a post-mortem is owed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

SeverityName = Literal["SEV1", "SEV2", "SEV3", "SEV4"]


@dataclass(frozen=True, kw_only=True)
class Severity:
    """`update_every` is the longest time between two messages to the people waiting; None promises none."""

    name: SeverityName
    meaning: str
    update_every: timedelta | None
    owes_postmortem: bool

    @property
    def promise(self) -> str:
        """How often people are told, in words."""
        if self.update_every is None:
            return "No updates are promised"
        return f"Update every {int(self.update_every.total_seconds() // 60)} minutes"


SEVERITIES: dict[str, Severity] = {
    severity.name: severity
    for severity in (
        Severity(
            name="SEV1",
            meaning="Customers cannot use Nova, or data is being lost.",
            update_every=timedelta(minutes=30),
            owes_postmortem=True,
        ),
        Severity(
            name="SEV2",
            meaning="A main function fails for many, or redundancy is gone.",
            update_every=timedelta(minutes=60),
            owes_postmortem=True,
        ),
        Severity(
            name="SEV3",
            meaning="Degraded, a workaround exists.",
            update_every=timedelta(minutes=240),
            owes_postmortem=False,
        ),
        Severity(name="SEV4", meaning="No customer effect.", update_every=None, owes_postmortem=False),
    )
}

# What an alert's own severity suggests; people choose the higher when unsure.
FOR_ALERT = {"crit": "SEV2", "warn": "SEV3"}
# Who notices, as a person is asked, with what it makes; not knowing counts as the higher of what it may be.
REACHES: dict[str, tuple[str, SeverityName]] = {
    "all": ("Customers cannot use Nova", "SEV1"),
    "many": ("A main function fails for many", "SEV2"),
    "redundancy": ("Nobody yet, but redundancy is gone", "SEV2"),
    "some": ("It is degraded, a workaround exists", "SEV3"),
    "none": ("No customer notices", "SEV4"),
    "unsure": ("Not sure (counts as many)", "SEV2"),
}
LOSSES = {"no": "No", "yes": "Yes", "unsure": "Not sure (counts as yes)"}
REACH_OF_ALERT = {"crit": "many", "warn": "some"}


def computed(reach: str, loss: str) -> SeverityName:
    """The severity that the impact makes."""
    return "SEV1" if loss in ("yes", "unsure") else REACHES[reach][1]
