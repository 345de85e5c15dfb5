"""Restoring from a snapshot of Nova's database: which one, and whether it can be."""

from collections.abc import Iterable
from typing import Any

from backups.making import PARAMETERS
from backups.restoring import Restore, name_of
from novaops.cloud import rds_backups, rds_restores
from novaops.cloud.rds_backups import CLUSTER
from novaops.cloud.rds_snapshots import Snapshot
from novaops.environment import Environment
from novaops.runbook.action import Context, Precheck

IAM = (
    "rds:RestoreDBInstanceFromDBSnapshot",
    "rds:DescribeDBSnapshots",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBClusters",
)
FROM_CLUSTER = (
    "It becomes an instance, set up as the writer is: the readers and the cluster's own parameter group "
    "do not come with it."
)


class FromSnapshot(Restore):
    """What a restore from a snapshot and its rehearsal share.

    A cluster's snapshot is restored into an instance, too, set up as the writer is: RDS takes it for one.
    """

    def applies(self, environment: Environment) -> bool:
        """Wherever there are snapshots, of an instance or a cluster."""
        return True

    def source(self, ctx: Context) -> tuple[dict[str, Any], dict[str, Any]]:
        """The snapshot asked for, or the newest that is available; what a plan chose stays chosen."""
        wanted = ctx.params.get("snapshot") or ctx.facts.get("source", {}).get("snapshot")
        database = ctx.environment.database
        known = rds_backups.snapshots_of(ctx.environment, database.kind, database.target)
        chosen = next((one for one in known if one.id == wanted or (not wanted and one.status == "available")), None)
        return _told(chosen) if chosen else {"snapshot": wanted, "name": ""}, {}

    def of_source(self, ctx: Context) -> Iterable[Precheck]:
        """The snapshot is one of this database, and finished."""
        found = ctx.facts["source"]
        if not found["name"]:
            of = ctx.environment.database.target
            sentence = f"{found['snapshot'] or 'A snapshot that is available'} is not among those of {of}."
            yield Precheck(state="failed", sentence=sentence)
            return
        yield Precheck.require(
            found["status"] == "available",
            f"{found['snapshot']} is available, of {found['created_at']}.",
            f"{found['snapshot']} is {found['status']}: wait until it is available.",
        )
        if ctx.environment.database.kind == CLUSTER:
            yield Precheck(state="warning", sentence=FROM_CLUSTER)
            yield Precheck.require(
                not ctx.params.get("kms_key"),
                "It keeps its key.",
                "RDS copies no snapshot of a cluster, so that it cannot be put under another key.",
            )
        version = (ctx.facts["production"] or {}).get("engine_version", found["engine_version"])
        if found["engine_version"] != version:
            sentence = f"It is of PostgreSQL {found['engine_version']}, production runs {version}."
            yield Precheck(state="warning", sentence=sentence)
        own_key = (ctx.facts["production"] or {"storage": {}})["storage"].get("KmsKeyId", found["kms_key"])
        if found["kms_key"] != own_key and not ctx.params.get("kms_key"):
            sentence = f"It is encrypted with another key than production, {found['kms_key'] or 'none'}."
            yield Precheck(state="warning", sentence=sentence)
        if not found["encrypted"]:
            yield Precheck(state="warning", sentence="The snapshot is not encrypted, and neither will the instance be.")

    def call(self, ctx: Context) -> tuple[Any, dict[str, Any]]:
        """RestoreDBInstanceFromDBSnapshot."""
        snapshot = ctx.facts["source"]["snapshot"]
        return rds_restores.FROM_SNAPSHOT, {
            "DBInstanceIdentifier": name_of(ctx),
            PARAMETERS[ctx.environment.database.kind][1]: snapshot,
        }


def _told(snapshot: Snapshot) -> dict[str, Any]:
    created = f"{snapshot.created_at:%Y-%m-%d %H:%M:%S} UTC" if snapshot.created_at else ""
    return {
        "snapshot": snapshot.id,
        "name": f"snapshot {snapshot.id}",
        "at": snapshot.created_at.isoformat() if snapshot.created_at else None,
        "status": snapshot.status,
        "engine_version": snapshot.engine_version,
        "encrypted": snapshot.encrypted,
        "kms_key": snapshot.kms_key,
        "created_at": created,
    }
