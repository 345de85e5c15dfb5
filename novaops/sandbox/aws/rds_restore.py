"""Restoring a simulated DB instance from a snapshot or to a point in time: always a new instance (FACTS B4)."""

import copy
from datetime import datetime

from novaops.sandbox.aws import rds_cluster_snapshots, rds_options
from novaops.sandbox.aws.query import Document, aware, is_true
from novaops.sandbox.aws.rds_instances import come_up
from novaops.sandbox.aws.rds_model import Instance, copies, fresh, new_name
from novaops.sandbox.aws.rds_snapshots import source_of_restore, usable
from novaops.sandbox.aws.wire import AwsError, Params

NOT_ACCEPTED = {"MonitoringInterval", "MonitoringRoleArn", "EnablePerformanceInsights", "PreferredMaintenanceWindow"}
"""What only a modify afterwards can set; a restore that names them is refused by botocore, others are ignored."""


def restore_db_instance_from_db_snapshot(params: Params) -> Document:
    """RestoreDBInstanceFromDBSnapshot: what is not passed gets AWS's default, not the source's setting."""
    identifier = new_name(params["DBInstanceIdentifier"])
    if params.get("DBClusterSnapshotIdentifier"):
        return _from_cluster(identifier, params)
    snapshot = usable(params["DBSnapshotIdentifier"])
    tags = {"Tags": snapshot.wire["TagList"], **params}
    answer = _restore(identifier, snapshot.settings, tags, f"Restored from snapshot {snapshot.id}")
    source, moment = snapshot.wire["DBInstanceIdentifier"], snapshot.wire["SnapshotDatabaseTime"]
    _tell(identifier, source, snapshot.id, moment)
    return answer


def _from_cluster(identifier: str, params: Params) -> Document:
    """From the snapshot of a Multi-AZ DB cluster: an instance with what its writer had, where nothing is passed."""
    if params.get("DBSnapshotIdentifier"):
        raise AwsError("InvalidParameterCombination", "Name either a DB snapshot or a DB cluster snapshot.")
    snapshot = rds_cluster_snapshots.usable(params["DBClusterSnapshotIdentifier"])
    answer = _restore(identifier, snapshot.settings, params, f"Restored from snapshot {snapshot.id}")
    _tell(identifier, snapshot.wire["DBClusterIdentifier"], snapshot.id, snapshot.wire["SnapshotCreateTime"])
    return answer


def restore_db_instance_to_point_in_time(params: Params) -> Document:
    """RestoreDBInstanceToPointInTime: a moment between the earliest and the latest restorable one."""
    identifier = new_name(params["TargetDBInstanceIdentifier"])
    source = source_of_restore(params)
    moment = _checked_moment(source, params)
    answer = _restore(identifier, source.wire, params, f"Restored from DB instance {source.id} to {identifier}.")
    _tell(identifier, source.id, "", moment)
    return answer


def _tell(identifier: str, source: str, snapshot: str, moment: datetime) -> None:
    for hook in copies.on_restore:
        hook(identifier, source, snapshot, moment)


def _restore(identifier: str, source: Document, params: Params, message: str) -> Document:
    settings = {**copy.deepcopy(source), **rds_options.not_carried_over(), "TagList": []}
    settings.pop("SecondaryAvailabilityZone", None)
    for name in ("MaxAllocatedStorage", "ProcessorFeatures", "MonitoringRoleArn", "EnhancedMonitoringResourceArn"):
        settings.pop(name, None)
    port = params.get("Port") or settings["Endpoint"]["Port"]
    rds_options.apply(settings, {name: value for name, value in params.items() if name not in NOT_ACCEPTED})
    instance = fresh(identifier, settings)
    come_up(instance, port, message, "restoration")
    return {"DBInstance": instance.described()}


def _checked_moment(source: Instance, params: Params) -> datetime:
    """The moment asked for. Refuse a moment outside of what the backups reach, and where the request is ambiguous."""
    asked, newest = aware(params.get("RestoreTime")), is_true(params.get("UseLatestRestorableTime"))
    if bool(asked) == newest:
        raise AwsError(
            "InvalidParameterCombination", "Specify either RestoreTime or UseLatestRestorableTime, and not both."
        )
    if not source.wire["BackupRetentionPeriod"]:
        raise AwsError("PointInTimeRestoreNotEnabled", f"Automated backups are disabled for {source.id}.")
    latest = source.latest_restorable()
    if source.status in ("creating", "deleting") or latest is None or source.restorable_from is None:
        raise AwsError("InvalidDBInstanceState", f"Instance {source.id} is not in a state to be restored from.")
    _checked_reach(asked or latest, source.restorable_from, latest)
    return asked or latest


def _checked_reach(moment: datetime, earliest: datetime, latest: datetime) -> None:
    limit = f"later than {latest:%FT%TZ}" if moment > latest else f"earlier than {earliest:%FT%TZ}"
    if not earliest <= moment <= latest:
        raise AwsError("InvalidParameterValue", f"The specified instance cannot be restored to a time {limit}.")
