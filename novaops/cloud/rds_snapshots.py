"""RDS snapshots of an instance, described and created, and the settings of an instance (FACTS B3, B4)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from novaops.cloud import aws
from novaops.cloud.errors import Refused
from novaops.environment import Environment

CREATE = aws.Operation("rds:CreateDBSnapshot")
ABSENT = frozenset({"DBSnapshotNotFound", "DBInstanceNotFound", "DBSnapshotNotFoundFault", "DBInstanceNotFoundFault"})


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot of a database. `status` is AWS's word; `percent` how far a new one has come; `tags` by key.

    `instance` is the database that it is of, an instance or a cluster; `copied_from` the ARN of what it is a copy of.
    """

    id: str
    instance: str
    kind: str
    status: str
    percent: int
    created_at: datetime | None
    size_gb: int
    engine_version: str
    encrypted: bool
    tags: dict[str, str] = field(default_factory=dict)
    arn: str = ""
    kms_key: str = ""
    copied_from: str = ""


def describe(environment: Environment, snapshot_id: str) -> Snapshot | None:
    """The snapshot of that name, None where AWS knows none."""
    try:
        answer = aws.read(environment, "rds:DescribeDBSnapshots", DBSnapshotIdentifier=snapshot_id)
    except Refused as refusal:
        if refusal.code in ABSENT:
            return None
        raise
    return _snapshot(answer["DBSnapshots"][0])


def of_instance(environment: Environment, instance_id: str) -> list[Snapshot]:
    """Every snapshot of the instance, automated and manual, the newest first; unfinished ones before all."""
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"DBInstanceIdentifier": instance_id}
    while True:
        page = aws.read(environment, "rds:DescribeDBSnapshots", **params)
        found += page["DBSnapshots"]
        if not page.get("Marker"):
            break
        params["Marker"] = page["Marker"]
    told = [_snapshot(one) for one in found]
    return sorted(told, key=lambda one: (one.created_at is None, one.created_at), reverse=True)


def _snapshot(found: dict[str, Any]) -> Snapshot:
    return Snapshot(
        id=found["DBSnapshotIdentifier"],
        instance=found["DBInstanceIdentifier"],
        kind=found["SnapshotType"],
        status=found["Status"],
        percent=found.get("PercentProgress", 0),
        created_at=found.get("SnapshotCreateTime"),
        size_gb=found.get("AllocatedStorage", 0),
        engine_version=found.get("EngineVersion", ""),
        encrypted=found.get("Encrypted", False),
        tags=_tags(found),
        arn=found.get("DBSnapshotArn", ""),
        kms_key=found.get("KmsKeyId", ""),
        copied_from=found.get("SourceDBSnapshotIdentifier", ""),
    )


def settings(environment: Environment, instance_id: str) -> dict[str, Any] | None:
    """The DB instance as AWS describes it, JSON values only; None where AWS knows none of that name."""
    try:
        answer = aws.read(environment, "rds:DescribeDBInstances", DBInstanceIdentifier=instance_id)
    except Refused as refusal:
        if refusal.code in ABSENT:
            return None
        raise
    return {name: value for name, value in answer["DBInstances"][0].items() if not isinstance(value, datetime)}


def tags_of(described: dict[str, Any]) -> dict[str, str]:
    """The tags of an instance that `settings` describes, by key."""
    return _tags(described)


def _tags(found: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("TagList", [])}
