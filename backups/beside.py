"""The restored instances beside production: read each round, and told with what they are there for and cost."""

from dataclasses import dataclass
from datetime import datetime

from backups import estimates
from backups.models import Beside, Restore
from backups.names import ENVIRONMENT_TAG, RESTORED, RUN_TAG
from novaops.cloud import rds_restores
from novaops.environment import Environment
from novaops.runbook.models import Run
from novaops.runbook.states import ACTIVE, RunStatus

POINTING = ("cut-over", "cut-back")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A restored instance with its record, and what it is there for. `left_over`: nothing uses it any more."""

    instance: Beside
    record: Restore | None
    word: str
    left_over: bool
    usd_an_hour: float | None


def ask(environment: Environment) -> list[rds_restores.Restored]:
    """Those of the environment that AWS has now. Raises an OutsideError."""
    found = rds_restores.restored(environment, f"{RESTORED}-")
    return [one for one in found if one.tags.get(ENVIRONMENT_TAG, environment.name) == environment.name]


def keep(environment: Environment, told: list[rds_restores.Restored], at: datetime) -> None:
    """Write what AWS lists; what it does not list any more is gone."""
    for one in told:
        number = one.tags.get(RUN_TAG, "")
        Beside.objects.update_or_create(
            environment=environment.name,
            name=one.name,
            defaults={
                "status": one.status,
                "instance_class": one.instance_class,
                "size_gb": one.size_gb,
                "multi_az": one.multi_az,
                "created_at": one.created_at,
                "run": int(number) if number.isdecimal() else None,
                "read_at": at,
                "gone_at": None,
            },
        )
    there = Beside.objects.filter(environment=environment.name, gone_at=None)
    there.exclude(name__in=[one.name for one in told]).update(gone_at=at)


def standings(environment: Environment) -> list[Standing]:
    """Every restored instance that is there, the newest first, in four queries."""
    there = list(Beside.objects.filter(environment=environment.name, gone_at=None))
    names = [one.name for one in there]
    records = {one.instance: one for one in Restore.objects.filter(environment=environment.name, instance__in=names)}
    active = set(Run.objects.filter(pk__in=[one.run for one in there], status__in=ACTIVE).values_list("pk", flat=True))
    used = in_use(environment) if there else ""
    return [_standing(environment, one, records.get(one.name), one.run in active, used == one.name) for one in there]


def in_use(environment: Environment) -> str:
    """The instance that Nova was last cut over to, or that nova.toml names; empty where it was cut back."""
    if environment.database.target.startswith(f"{RESTORED}-"):
        return environment.database.target
    last = Run.objects.filter(environment=environment.name, action__in=POINTING, status=RunStatus.SUCCEEDED).first()
    return str(last.params["instance"]) if last and last.action == "cut-over" else ""


def _standing(environment: Environment, one: Beside, record: Restore | None, active: bool, used: bool) -> Standing:
    word = "Nova uses it" if used else "A run is at it" if active else "Left over"
    price = estimates.usd_an_hour(environment, one.instance_class, one.size_gb, multi_az=one.multi_az)
    return Standing(instance=one, record=record, word=word, left_over=not used and not active, usd_an_hour=price)
