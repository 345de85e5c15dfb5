"""What the actions share that make a snapshot: its kind of database, and looking for what a run made by its name."""

from dataclasses import dataclass
from typing import Any

from backups.names import RUN_TAG
from novaops.cloud import rds_backups
from novaops.cloud.rds_backups import CLUSTER, INSTANCE
from novaops.cloud.rds_snapshots import Snapshot
from novaops.environment import Environment
from novaops.runbook.action import Context, FromRun, Progress, Seen, Verdict, sendable

# What the calls of each kind name the database and its snapshot.
PARAMETERS = {
    INSTANCE: ("DBInstanceIdentifier", "DBSnapshotIdentifier"),
    CLUSTER: ("DBClusterIdentifier", "DBClusterSnapshotIdentifier"),
}


def kind_of(ctx: Context) -> str:
    """Whether the target is an instance or a cluster."""
    return next(one.kind for one in ctx.environment.kept_databases if one.id == ctx.target)


def nothing(_ctx: Context) -> dict[str, Any]:
    """A named effect is known by its name: there is nothing to compare with."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A snapshot that a run makes under a name of its own, in the environment's region or in another one."""

    kind: str
    name: FromRun
    region: str = ""

    def found(self, ctx: Context) -> Snapshot | None:
        """The snapshot of that name, where it carries the run's tag: another's of that name is not ours."""
        place: Environment = ctx.environment.in_region(self.region) if self.region else ctx.environment
        found = rds_backups.snapshot(place, self.kind, sendable(self.name, ctx))
        return found if found and found.tags.get(RUN_TAG) == str(ctx.run_id) else None

    def seen(self, ctx: Context, _before: dict[str, Any]) -> Seen | None:
        """Whether RDS has it, finished or not."""
        found = self.found(ctx)
        return Seen(sentence=f"RDS has {found.id}: {found.status}") if found else None

    def available(self, ctx: Context) -> Progress:
        """How far it has come."""
        found = self.found(ctx)
        if found is None:
            return Progress(verdict=Verdict.NOT_YET, sentence="RDS does not show it yet")
        if found.status == "failed":
            return Progress(verdict=Verdict.FAILED, sentence=f"RDS says that {found.id} failed. Take another one.")
        done = found.status == "available"
        sentence = f"{found.id} is {found.status}" + ("" if done else f", {found.percent} % done")
        return Progress(verdict=Verdict.DONE if done else Verdict.NOT_YET, sentence=sentence, percent=found.percent)
