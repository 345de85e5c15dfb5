"""Going without a second person: allowed only in an open SEV1, told in red, and followed up afterwards."""

from datetime import timedelta

from django.utils import timezone

from incidents.models import FollowUp, Incident
from incidents.timeline import Kind, append
from novaops.environment import Environment
from novaops.runbook.models import Run

DUE = timedelta(days=7)


def open_sev1(environment: Environment) -> int | None:
    """The number of an open SEV1 incident of the environment; None where there is none."""
    found = Incident.objects.filter(environment=environment.name, state=Incident.State.OPEN, severity="SEV1")
    return found.order_by("-number").values_list("number", flat=True).first()


def follow_up(incident: Incident, run: Run) -> None:
    """Tell the broken glass on the timeline and owe a follow-up, once for each run."""
    if not run.broken_glass:
        return
    title = f"Broken glass: review {run.title} on {run.target} (run {run.pk})"
    now = timezone.now()
    defaults = {
        "kind": FollowUp.Kind.PROCESS,
        "owner": run.requested_by,
        "due": (now + DUE).date(),
        "created_at": now,
        "created_by": run.requested_by,
    }
    FollowUp.objects.get_or_create(incident=incident, title=title[:200], defaults=defaults)
    append(
        incident,
        Kind.RUN,
        f"The glass was broken for {run.title}: no second person. {run.reason}",
        by=run.requested_by,
        at=run.created_at,
        url=run.get_absolute_url(),
        data={"run": run.pk, "broken_glass": True},
        dedup_key=f"run:{run.pk}:glass",
        starred=True,
    )
