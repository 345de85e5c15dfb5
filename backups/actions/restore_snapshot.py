"""Restore a snapshot into a new instance that is set up as production is."""

from backups import from_snapshot
from backups.from_snapshot import FromSnapshot
from backups.restore_forms import SourceForm, with_settings
from backups.restoring import IAM
from novaops.runbook.registry import register


@register
class RestoreSnapshot(FromSnapshot):
    """Make a new instance from a snapshot, set up as production is, and prove it by asking its database.

    Production is not touched: RDS always restores into a new instance. Pointing Nova at it is a decision of its own.
    """

    key = "restore-snapshot"
    title = "Restore a snapshot into a new instance"
    iam_permissions = (*IAM, *from_snapshot.IAM)
    form = with_settings(SourceForm)
