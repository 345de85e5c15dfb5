"""Rehearse a restore: the newest snapshot into a new instance, proven, measured, and deleted again."""

from collections.abc import Iterable
from typing import Any, ClassVar

from backups import from_snapshot
from backups.deleting import delete, gone
from backups.from_snapshot import FromSnapshot
from backups.restoring import IAM, name_of
from novaops.environment import Environment
from novaops.runbook.action import AnyStep, Change, Context, NoParameters
from novaops.runbook.registry import register


@register
class RestoreDrill(FromSnapshot):
    """Prove that the newest snapshot can be restored, and measure RTO and RPO. The new instance is deleted at the end.

    It is set up as production is, but for the deletion protection.
    """

    key = "restore-drill"
    title = "Rehearse a restore"
    iam_permissions = (*IAM, *from_snapshot.IAM, "rds:DeleteDBInstance")
    affects = "Nobody: the new instance stands beside production, which is only read, and is deleted at the end."
    undo = "It deletes its instance by itself; where it fails before that, the instance is listed under Backups."
    form = NoParameters
    fixed: ClassVar[dict[str, Any]] = {"deletion_protection": False}

    def applies(self, environment: Environment) -> bool:
        """Only where nova.toml asks for drills."""
        return super().applies(environment) and environment.backups.drill_every_days is not None

    def targets(self, environment: Environment) -> tuple[str, ...]:
        """Not that of a restore in earnest, which must not wait for a rehearsal."""
        return ("nova-drill",)

    def changes(self, ctx: Context) -> Iterable[Change]:
        """As a restore's, and that nothing stays."""
        yield from super().changes(ctx)
        yield Change(what="At the end", before="a restored instance", after="none: it is deleted")

    def steps(self, ctx: Context) -> Iterable[AnyStep]:
        """As a restore's, and then the end of the instance."""
        restoring = list(super().steps(ctx))
        yield from restoring
        if restoring:
            yield delete(name_of(ctx))
            yield gone(name_of(ctx))
