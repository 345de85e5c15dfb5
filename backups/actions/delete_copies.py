"""Delete old copies of snapshots in the other region."""

from backups.actions.delete_snapshots import DeleteSnapshots
from novaops.cloud.rds_backups import INSTANCE
from novaops.environment import Environment
from novaops.runbook.registry import register


@register
class DeleteCopies(DeleteSnapshots):
    """Delete copies in the other region that are older than the policy keeps manual snapshots, each by its name.

    Never the newest there, never one that somebody needs, never one tagged novaops:keep.
    """

    key = "delete-copies"
    title = "Delete old copies in the other region"
    runbook_section = "Backup Strategy: Automated RDS Snapshots"
    iam_permissions = ("rds:DeleteDBSnapshot", "rds:DescribeDBSnapshots")
    affects = "Nobody now: what is deleted there can never be restored again. Snapshots at home are not touched."
    undo = "None: a deleted copy is gone. Copy the snapshot again while it is there."

    def applies(self, environment: Environment) -> bool:
        """Only where another region is named."""
        return bool(environment.backups.copy_to_region and self.targets(environment))

    def targets(self, environment: Environment) -> tuple[str, ...]:
        """The instances whose backups are watched: only their snapshots are copied."""
        return tuple(one.id for one in environment.kept_databases if one.kind == INSTANCE)

    def region(self, environment: Environment) -> str:
        """The one that nova.toml names for copies."""
        return environment.backups.copy_to_region or ""
