"""What a restore needs of RDS: what can be restored, whether there is room for it, the new instances, and their end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from novaops.cloud import aws
from novaops.cloud.errors import Refused
from novaops.environment import Environment

FROM_SNAPSHOT = aws.Operation("rds:RestoreDBInstanceFromDBSnapshot")
TO_TIME = aws.Operation("rds:RestoreDBInstanceToPointInTime")
MODIFY = aws.Operation("rds:ModifyDBInstance")
ADD_ROLE = aws.Operation("rds:AddRoleToDBInstance")
DELETE = aws.Operation("rds:DeleteDBInstance")
NO_BACKUPS = frozenset({"DBInstanceAutomatedBackupNotFound", "DBInstanceAutomatedBackupNotFoundFault"})


@dataclass(frozen=True, kw_only=True)
class Window:
    """The moments that an instance can be restored to."""

    earliest_at: datetime
    latest_at: datetime


@dataclass(frozen=True, kw_only=True)
class Restored:
    """An instance that stands beside Nova's own, as AWS describes it."""

    name: str
    status: str
    instance_class: str
    size_gb: int
    multi_az: bool
    protected: bool
    created_at: datetime | None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How much of something the account uses in the region, and may use."""

    used: int
    most: int

    @property
    def left(self) -> int:
        return self.most - self.used


def window(environment: Environment, instance_id: str) -> Window | None:
    """What the instance can be restored to; None where AWS keeps no automated backup of it."""
    try:
        answer = aws.read(environment, "rds:DescribeDBInstanceAutomatedBackups", DBInstanceIdentifier=instance_id)
    except Refused as refusal:
        if refusal.code in NO_BACKUPS:
            return None
        raise
    told = [one["RestoreWindow"] for one in answer["DBInstanceAutomatedBackups"] if one.get("RestoreWindow")]
    if not told:
        return None
    return Window(earliest_at=told[0]["EarliestTime"], latest_at=told[0]["LatestTime"])


def quotas(environment: Environment) -> dict[str, Quota]:
    """The quotas of the account in the region by name: `DBInstances`, `AllocatedStorage` (GiB), ..."""
    told = aws.read(environment, "rds:DescribeAccountAttributes")["AccountQuotas"]
    return {one["AccountQuotaName"]: Quota(used=one["Used"], most=one["Max"]) for one in told}


def zones_offering(environment: Environment, engine: str, version: str, instance_class: str) -> tuple[str, ...]:
    """The zones in which AWS offers that class for that version, empty where it does in none."""
    answer = aws.read(
        environment,
        "rds:DescribeOrderableDBInstanceOptions",
        Engine=engine,
        EngineVersion=version,
        DBInstanceClass=instance_class,
    )
    options = answer["OrderableDBInstanceOptions"]
    return tuple(sorted({zone["Name"] for one in options for zone in one.get("AvailabilityZones", [])}))


def restored(environment: Environment, prefix: str) -> list[Restored]:
    """The instances whose name begins so, oldest first."""
    found = [_restored(one) for one in _instances(environment) if one["DBInstanceIdentifier"].startswith(prefix)]
    return sorted(found, key=lambda one: one.name)


def _instances(environment: Environment) -> Iterator[dict[str, Any]]:
    marker: dict[str, str] = {}
    while True:
        page = aws.read(environment, "rds:DescribeDBInstances", **marker)
        yield from page["DBInstances"]
        if not page.get("Marker"):
            return
        marker = {"Marker": page["Marker"]}


def _restored(found: dict[str, Any]) -> Restored:
    return Restored(
        name=found["DBInstanceIdentifier"],
        status=found["DBInstanceStatus"],
        instance_class=found["DBInstanceClass"],
        size_gb=found.get("AllocatedStorage", 0),
        multi_az=found.get("MultiAZ", False),
        protected=found.get("DeletionProtection", False),
        created_at=found.get("InstanceCreateTime"),
        tags={tag["Key"]: tag["Value"] for tag in found.get("TagList", [])},
    )
