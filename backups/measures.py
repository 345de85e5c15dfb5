"""What restores of an incident came to, for its post-mortem."""

from dataclasses import dataclass
from datetime import datetime

from backups.models import Restore
from novaops.runbook.models import Run
from novaops.runbook.states import RunStatus


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One restore in an incident. `rto_s` ends with the cut-over to it where there was one, else with its proof."""

    record: Restore
    rto_s: float | None
    rpo_s: float | None
    cut_over_at: datetime | None

    @property
    def sentence(self) -> str:
        """The measures in words."""
        if self.rto_s is None:
            return f"{self.record} was not proven, so that neither RTO nor RPO is known."
        until = "Nova used it" if self.cut_over_at else "its database was proven"
        rpo = f"RPO {self.rpo_s:.0f} s" if self.rpo_s is not None else "RPO not known"
        return f"{self.record}: RTO {self.rto_s:.0f} s until {until}, {rpo}; {self.record.loss}."


def of_incident(number: int) -> list[Measured]:
    """Every restore that was started for the incident, oldest first, in two queries."""
    records = list(Restore.objects.filter(incident=number, drill=False).order_by("pk"))
    cuts = Run.objects.filter(
        action="cut-over",
        status=RunStatus.SUCCEEDED,
        params__instance__in=[record.instance for record in records],
    )
    used = {str(run.params["instance"]): run.finished_at for run in cuts.order_by("-pk")}
    return [_measured(record, used.get(record.instance)) for record in records]


def _measured(record: Restore, cut_over_at: datetime | None) -> Measured:
    rto_s = (cut_over_at - record.asked_at).total_seconds() if cut_over_at else record.rto_s
    return Measured(record=record, rto_s=rto_s, rpo_s=record.rpo_s, cut_over_at=cut_over_at)
