"""Copies of simulated snapshots in other regions: made there, of a snapshot of Nova's region."""

import copy

from novaops.sandbox.aws.query import Document
from novaops.sandbox.aws.rds_model import Snapshot, checked_name, filtered
from novaops.sandbox.aws.rds_snapshots import FILTERS, TAKES_S, usable
from novaops.sandbox.aws.wire import ACCOUNT, REGION, AwsError, Params
from novaops.sandbox.world import world

copies: dict[tuple[str, str], Snapshot] = {}


def copy_db_snapshot(region: str, params: Params) -> Document:
    """CopyDBSnapshot from Nova's region into this one; an encrypted one needs a key of this region."""
    named = params["SourceDBSnapshotIdentifier"]
    if f":rds:{REGION}:{ACCOUNT}:snapshot:" not in named:
        raise AwsError("InvalidParameterValue", f"Invalid snapshot identifier: {named}: use its ARN.")
    source = usable(named)
    identifier = checked_name(params["TargetDBSnapshotIdentifier"], "TargetDBSnapshotIdentifier", 255)
    if (region, identifier) in copies:
        raise AwsError("DBSnapshotAlreadyExists", f"Cannot create the snapshot because {identifier} already exists.")
    if source.wire["Encrypted"] and not params.get("KmsKeyId"):
        raise AwsError("KMSKeyNotAccessibleFault", "An encrypted snapshot is copied with a key of the target region.")
    made = copies[region, identifier] = Snapshot(_document(region, identifier, source, params))
    world.later(TAKES_S, lambda: made.wire.update(Status="available"))
    return {"DBSnapshot": made.described()}


def describe_db_snapshots(region: str, params: Params) -> Document:
    """DescribeDBSnapshots of another region: the copies there."""
    name, source, kind = (params.get(key) for key in ("DBSnapshotIdentifier", "DBInstanceIdentifier", "SnapshotType"))
    if name and (region, name.lower()) not in copies:
        raise AwsError("DBSnapshotNotFound", f"DBSnapshot {name} not found.", 404)
    documents = [
        one.described()
        for (where, identifier), one in copies.items()
        if where == region
        and (not name or identifier == name.lower())
        and (not source or one.wire["DBInstanceIdentifier"] == source.lower())
        and (not kind or one.wire["SnapshotType"] == kind)
    ]
    return filtered(documents, params, FILTERS, "DBSnapshots")


def delete_db_snapshot(region: str, params: Params) -> Document:
    """DeleteDBSnapshot of a copy."""
    found = copies.pop((region, params["DBSnapshotIdentifier"].lower()), None)
    if found is None:
        raise AwsError("DBSnapshotNotFound", f"DBSnapshot {params['DBSnapshotIdentifier']} not found.", 404)
    return {"DBSnapshot": {**found.described(), "Status": "deleted"}}


def describe_db_cluster_snapshots(_region: str, params: Params) -> Document:
    """DescribeDBClusterSnapshots of another region: copies of cluster snapshots are not simulated."""
    return filtered([], params, {}, "DBClusterSnapshots")


def _document(region: str, identifier: str, source: Snapshot, params: Params) -> Document:
    wire = copy.deepcopy(source.wire)
    wire.update(
        DBSnapshotIdentifier=identifier,
        DBSnapshotArn=f"arn:aws:rds:{region}:{ACCOUNT}:snapshot:{identifier}",
        SourceDBSnapshotIdentifier=source.wire["DBSnapshotArn"],
        SourceRegion=REGION,
        SnapshotType="manual",
        Status="creating",
        SnapshotCreateTime=world.now(),
        TagList=params.get("Tags") or [],
    )
    if params.get("KmsKeyId"):
        wire.update(KmsKeyId=params["KmsKeyId"], Encrypted=True)
    return wire
