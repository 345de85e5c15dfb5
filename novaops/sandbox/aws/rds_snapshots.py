"""Snapshots of simulated DB instances: manual and automated, with progress, quota, copies and automated backups."""

import copy
from datetime import datetime, timedelta

from novaops.sandbox.aws.query import Document
from novaops.sandbox.aws.rds_model import (
    Instance,
    Snapshot,
    available,
    checked_name,
    copies,
    events,
    filtered,
    find,
    instances,
    snapshots,
)
from novaops.sandbox.aws.wire import REGION, AwsError, Params, arn
from novaops.sandbox.world import world

MANUAL_QUOTA = 100
TAKES_S = 120
FILTERS = {
    "db-instance-id": ("DBInstanceIdentifier",),
    "db-snapshot-id": ("DBSnapshotIdentifier", "DBSnapshotArn"),
    "dbi-resource-id": ("DbiResourceId",),
    "snapshot-type": ("SnapshotType",),
    "engine": ("Engine",),
}
SAME_NAME = (
    "DBInstanceIdentifier", "DbiResourceId", "Engine", "EngineVersion", "AllocatedStorage", "AvailabilityZone",
    "InstanceCreateTime", "MasterUsername", "LicenseModel", "StorageType", "Iops", "StorageThroughput", "KmsKeyId",
    "IAMDatabaseAuthenticationEnabled", "DedicatedLogVolume", "BackupRetentionPeriod", "PreferredBackupWindow",
)  # fmt: skip


def create_db_snapshot(params: Params) -> Document:
    """CreateDBSnapshot: the instance is `backing-up` and the snapshot `creating` with its progress for two minutes."""
    instance = available(params.get("DBInstanceIdentifier"))
    identifier = free_name(params["DBSnapshotIdentifier"])
    return {"DBSnapshot": take(instance, identifier, tags=params.get("Tags")).described()}


def describe_db_snapshots(params: Params) -> Document:
    """DescribeDBSnapshots: by snapshot, instance, type or filter."""
    name, source, kind = (params.get(key) for key in ("DBSnapshotIdentifier", "DBInstanceIdentifier", "SnapshotType"))
    found = [find_snapshot(name)] if name else list(snapshots.values())
    documents = [
        snapshot.described()
        for snapshot in sorted(found, key=lambda snapshot: snapshot.started_at)
        if (not source or snapshot.wire["DBInstanceIdentifier"] == source.lower())
        and (not kind or snapshot.wire["SnapshotType"] == kind)
    ]
    return filtered(documents, params, FILTERS, "DBSnapshots")


def delete_db_snapshot(params: Params) -> Document:
    """DeleteDBSnapshot: manual and available ones only."""
    snapshot = usable(params["DBSnapshotIdentifier"])
    if snapshot.wire["SnapshotType"] != "manual":
        raise AwsError("InvalidDBSnapshotState", "Cannot delete an automated snapshot.")
    del snapshots[snapshot.id]
    _say(snapshot, "Deleted manual snapshot", "deletion")
    for hook in copies.on_snapshot_gone:
        hook(snapshot.id)
    return {"DBSnapshot": {**snapshot.described(), "Status": "deleted"}}


def copy_db_snapshot(params: Params) -> Document:
    """CopyDBSnapshot within the region, also with another key; counts against the quota of manual ones."""
    source = usable(params["SourceDBSnapshotIdentifier"])
    target = free_name(params["TargetDBSnapshotIdentifier"])
    wire = {**source.wire, "SourceDBSnapshotIdentifier": source.wire["DBSnapshotArn"], "SourceRegion": REGION}
    if params.get("KmsKeyId"):
        wire.update(KmsKeyId=params["KmsKeyId"], Encrypted=True)
    if "Tags" in params:
        wire["TagList"] = params["Tags"]
    made = Snapshot({**wire, **_identity(target), "SnapshotType": "manual"}, copy.deepcopy(source.settings))
    made.settings.update(KmsKeyId=wire.get("KmsKeyId"), StorageEncrypted=wire["Encrypted"])
    snapshots[target] = made
    for hook in copies.on_copy:
        hook(source.id, target)
    world.later(TAKES_S, lambda: _finish(made))
    return {"DBSnapshot": made.described()}


def describe_db_instance_automated_backups(params: Params) -> Document:
    """DescribeDBInstanceAutomatedBackups: what each instance can be restored to."""
    name, resource = params.get("DBInstanceIdentifier"), params.get("DbiResourceId")
    found = [
        _automated_backup(instance)
        for instance in instances.values()
        if instance.latest_restorable()
        and name in (None, instance.id)
        and resource in (None, instance.wire["DbiResourceId"])
    ]
    if (name or resource) and not found:
        raise AwsError("DBInstanceAutomatedBackupNotFound", f"Automated backup of {name or resource} not found.")
    return filtered(found, params, {"db-instance-id": ("DBInstanceIdentifier",)}, "DBInstanceAutomatedBackups")


def find_snapshot(identifier: str) -> Snapshot:
    """The snapshot of that name or ARN."""
    snapshot = snapshots.get(identifier.split(":snapshot:")[-1].lower())
    if snapshot is None:
        raise AwsError("DBSnapshotNotFound", f"DBSnapshot {identifier} not found.")
    return snapshot


def usable(identifier: str) -> Snapshot:
    """The snapshot of that name, which must be finished."""
    snapshot = find_snapshot(identifier)
    if snapshot.wire["Status"] != "available":
        raise AwsError("InvalidDBSnapshotState", f"Snapshot {snapshot.id} is not in available state.")
    return snapshot


def free_name(name: str) -> str:
    """A free identifier for a manual snapshot, within the quota of the region (FACTS B3)."""
    identifier = checked_name(name, "DBSnapshotIdentifier", 255)
    if identifier in snapshots:
        raise AwsError("DBSnapshotAlreadyExists", f"A snapshot named {name} already exists.")
    if sum(snapshot.wire["SnapshotType"] == "manual" for snapshot in snapshots.values()) >= MANUAL_QUOTA:
        raise AwsError("SnapshotQuotaExceeded", f"Cannot create more than {MANUAL_QUOTA} manual snapshots")
    return identifier


def take(instance: Instance, identifier: str, *, kind: str = "manual", tags: list[Document] | None = None) -> Snapshot:
    """Begin a snapshot; the instance goes on serving but accepts no other change meanwhile."""
    snapshot = snapshots[identifier] = Snapshot(_document(instance, identifier, kind), copy.deepcopy(instance.wire))
    inherited = instance.wire["TagList"] if instance.wire["CopyTagsToSnapshot"] else []
    snapshot.wire["TagList"] = copy.deepcopy(tags or inherited)
    snapshot.settings["DBInstanceStatus"] = "available"
    instance.become("backing-up")
    instance.say("Backing up DB instance", "backup")
    _say(snapshot, f"Creating {kind} snapshot", "creation")
    for hook in copies.on_snapshot:
        hook(instance.id, identifier)

    def finished() -> None:
        _finish(snapshot)
        _say(snapshot, f"{kind.capitalize()} snapshot created", "creation")
        instance.say("Finished DB Instance backup", "backup")
        if instance.status == "backing-up":
            instance.become("available")

    world.later(TAKES_S, finished)
    return snapshot


def automated_name(instance: Instance, moment: datetime) -> str:
    return f"rds:{instance.id}-{moment:%Y-%m-%d-%H-%M}"


def seed_automated(instance: Instance, days: int) -> None:
    """The daily automated snapshots of the last days, the newest within 24 h, each taken in the backup window."""
    newest = world.now().replace(hour=3, minute=7, second=12, microsecond=0)
    if newest > world.now():
        newest -= timedelta(days=1)
    for age in reversed(range(days)):
        _keep_automated(instance, newest - timedelta(days=age))
    instance.restorable_from = newest - timedelta(days=days - 1)
    _tomorrow(instance, newest)


def _keep_automated(instance: Instance, moment: datetime) -> None:
    with world.at(moment):
        identifier = automated_name(instance, moment)
        snapshot = Snapshot(_document(instance, identifier, "automated"), copy.deepcopy(instance.wire))
        _finish(snapshot)
        snapshots[identifier] = snapshot


def _tomorrow(instance: Instance, last: datetime) -> None:
    """Go on with one automated snapshot a real day, as long as the instance lives and keeps backups."""
    following = last + timedelta(days=1)
    wait_s = (following - world.now()).total_seconds()

    def backup() -> None:
        if instances.get(instance.id) is not instance:
            return
        if instance.wire["BackupRetentionPeriod"] and instance.status == "available":
            take(instance, automated_name(instance, following), kind="automated")
            _expire(instance)
        _tomorrow(instance, following)

    world.later(wait_s * world.factor, backup)


def _expire(instance: Instance) -> None:
    oldest = world.now() - timedelta(days=instance.wire["BackupRetentionPeriod"])
    for snapshot in list(snapshots.values()):
        automated = snapshot.wire["SnapshotType"] == "automated"
        if automated and snapshot.wire["DBInstanceIdentifier"] == instance.id and snapshot.started_at < oldest:
            del snapshots[snapshot.id]
            instance.restorable_from = oldest
            for hook in copies.on_snapshot_gone:
                hook(snapshot.id)


def _document(instance: Instance, identifier: str, kind: str) -> Document:
    wire = instance.wire
    return {
        **{name: wire[name] for name in SAME_NAME if name in wire},
        **_identity(identifier),
        "SnapshotType": kind,
        "Encrypted": wire["StorageEncrypted"],
        "Port": wire["Endpoint"]["Port"],
        "VpcId": wire["DBSubnetGroup"]["VpcId"],
        "OptionGroupName": wire["OptionGroupMemberships"][0]["OptionGroupName"],
        "SnapshotTarget": "region",
        "TagList": [],
    }


def _identity(identifier: str) -> Document:
    now = world.now()
    times = dict.fromkeys(("SnapshotCreateTime", "OriginalSnapshotCreateTime", "SnapshotDatabaseTime"), now)
    names = {"DBSnapshotIdentifier": identifier, "DBSnapshotArn": arn("rds", f"snapshot:{identifier}")}
    return {**names, **times, "Status": "creating"}


def _finish(snapshot: Snapshot) -> None:
    snapshot.wire["Status"] = "available"


def _say(snapshot: Snapshot, message: str, category: str) -> None:
    events.add(snapshot.id, "db-snapshot", message, category, arn=snapshot.wire["DBSnapshotArn"])


def _automated_backup(instance: Instance) -> Document:
    wire = instance.wire
    return {
        **{name: wire[name] for name in SAME_NAME if name in wire},
        "DBInstanceArn": wire["DBInstanceArn"],
        "DBInstanceAutomatedBackupsArn": arn("rds", f"auto-backup:ab-{wire['DbiResourceId'][3:].lower()}"),
        "Region": REGION,
        "Status": "active",
        "RestoreWindow": {"EarliestTime": instance.restorable_from, "LatestTime": instance.latest_restorable()},
        "Port": wire["Endpoint"]["Port"],
        "VpcId": wire["DBSubnetGroup"]["VpcId"],
        "OptionGroupName": wire["OptionGroupMemberships"][0]["OptionGroupName"],
        "Encrypted": wire["StorageEncrypted"],
        "BackupTarget": "region",
        "TagList": wire["TagList"],
    }


def source_of_restore(params: Params) -> Instance:
    """The instance a point-in-time restore starts from: by name or by resource id."""
    resource = params.get("SourceDbiResourceId")
    if not resource:
        return find(params.get("SourceDBInstanceIdentifier"))
    for instance in instances.values():
        if instance.wire["DbiResourceId"] == resource:
            return instance
    raise AwsError("DBInstanceAutomatedBackupNotFound", f"Automated backup of {resource} not found.")
