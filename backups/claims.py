"""Who still needs a snapshot: nothing that anybody claims is offered for deletion, and no run deletes it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from backups.models import Snapshot
from novaops.environment import Environment
from novaops.runbook.models import Run
from novaops.runbook.states import ACTIVE

# Parameters and facts under which a run names the snapshot that it works with.
NAMED_BY = ("snapshot", "source")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Somebody's need of a snapshot: its name, the sentence that says who and why, and where more is."""

    snapshot: str
    sentence: str
    url: str = ""


# Other apps, and other parts of this one, add what they claim in an environment.
claimants: list[Callable[[Environment], Iterable[Claim]]] = []


def of(environment: Environment) -> dict[str, list[Claim]]:
    """Every claim in the environment, by the snapshot's name."""
    found: dict[str, list[Claim]] = {}
    for claim in (*_by_runs(environment), *(one for of_part in claimants for one in of_part(environment))):
        found.setdefault(claim.snapshot, []).append(claim)
    return found


def of_runs(runs: Iterable[Run], sentence: str) -> Iterator[Claim]:
    """What these runs took or work with, each claimed with the sentence; `{run}` in it is the run's number."""
    known = {run.pk: run for run in runs}
    for run in known.values():
        for name in _named(run):
            yield Claim(snapshot=name, sentence=sentence.format(run=run.pk), url=run.get_absolute_url())
    for taken in Snapshot.objects.filter(run__in=known, gone_at=None):
        run = known[taken.run or 0]
        yield Claim(snapshot=taken.name, sentence=sentence.format(run=run.pk), url=run.get_absolute_url())


def _by_runs(environment: Environment) -> Iterator[Claim]:
    """What runs that are not over work with."""
    active = Run.objects.filter(environment=environment.name, status__in=ACTIVE).select_related("plan")
    restoring = (run for run in active if not run.action.startswith("delete-"))
    return of_runs(restoring, "Run {run} works with it and is not over.")


def _named(run: Run) -> set[str]:
    told = [where.get(key) for where in (run.params, run.plan.facts) for key in NAMED_BY]
    names = (one.get("snapshot") or one.get("name") if isinstance(one, dict) else one for one in told)
    return {name for name in names if isinstance(name, str) and name}
