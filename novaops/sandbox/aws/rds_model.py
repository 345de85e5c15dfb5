"""What the simulated RDS keeps: instances, snapshots and their events, and the rules on names and states they share."""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from moto.rds.models import rds_backends

from novaops.sandbox.aws.events import EventLog
from novaops.sandbox.aws.query import ZONES, Document, page
from novaops.sandbox.aws.wire import ACCOUNT, REGION, AwsError, Params, arn
from novaops.sandbox.world import world

IDENTIFIER = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9])*")
INSTANCE_CLASS = re.compile(r"db\.[a-z][0-9][a-z0-9]*\.(?:micro|small|medium|large|\d*xlarge)")
LOGS_SHIPPED_EVERY_S = 300
INSTANCE_QUOTA = 40
DEFAULT_SECURITY_GROUP = "sg-0d3f4a17de0000001"
KMS_KEY = arn("kms", "key/5f0c7d1e-0b5a-4c52-9d0a-6e0f4f1b7a01")


@dataclass
class Instance:
    """One DB instance: `wire` is what DescribeDBInstances says, the rest is what AWS keeps to itself."""

    wire: Document
    restorable_from: datetime | None = None
    failed_over_at: datetime | None = None
    address: str = ""

    @property
    def id(self) -> str:
        return str(self.wire["DBInstanceIdentifier"])

    @property
    def status(self) -> str:
        return str(self.wire["DBInstanceStatus"])

    def become(self, status: str) -> None:
        self.wire["DBInstanceStatus"] = status

    def say(self, message: str, *categories: str) -> None:
        """Record an event of this instance."""
        events.add(self.id, "db-instance", message, *categories, arn=self.wire["DBInstanceArn"])

    def latest_restorable(self) -> datetime | None:
        """The newest moment it can be restored to, None without backups: logs ship every five simulated minutes."""
        if not self.restorable_from or not self.wire["BackupRetentionPeriod"]:
            return None
        step_s = world.seconds(LOGS_SHIPPED_EVERY_S)
        behind = timedelta(seconds=(world.now() - self.restorable_from).total_seconds() % step_s)
        return world.now() - behind

    def described(self) -> Document:
        """The DBInstance document of this moment."""
        latest = self.latest_restorable()
        return {**self.wire, **({"LatestRestorableTime": latest} if latest else {})}


@dataclass
class Snapshot:
    """One DB snapshot with the settings its instance had, and how long it takes from its start (simulated seconds)."""

    wire: Document
    settings: Document = field(default_factory=dict)
    started_at: datetime = field(default_factory=world.now)
    takes_s: float = 120

    @property
    def id(self) -> str:
        return str(self.wire["DBSnapshotIdentifier"])

    def described(self) -> Document:
        """The DBSnapshot document of this moment; PercentProgress grows with time until it is available."""
        if self.wire["Status"] != "creating":
            return {**self.wire, "PercentProgress": 100}
        elapsed = (world.now() - self.started_at).total_seconds()
        return {**self.wire, "PercentProgress": min(99, int(100 * elapsed / world.seconds(self.takes_s)))}


instances: dict[str, Instance] = {}
snapshots: dict[str, Snapshot] = {}
events = EventLog()
on_restart: list[Callable[[str], None]] = []


@dataclass
class Copies:
    """Who is told of what holds data: (instance, snapshot), (snapshot, copy), (instance, source, snapshot, moment)."""

    on_snapshot: list[Callable[[str, str], None]] = field(default_factory=list)
    on_copy: list[Callable[[str, str], None]] = field(default_factory=list)
    on_restore: list[Callable[[str, str, str, datetime], None]] = field(default_factory=list)
    on_snapshot_gone: list[Callable[[str], None]] = field(default_factory=list)
    on_instance_gone: list[Callable[[str], None]] = field(default_factory=list)


copies = Copies()


def restarted(instance: Instance) -> None:
    """Tell everyone who cares that the instance's connections are gone."""
    for hook in on_restart:
        hook(instance.id)


def find(identifier: str | None) -> Instance:
    """The instance of that name. Refuses as AWS does where there is none."""
    instance = instances.get(str(identifier).lower())
    if instance is None:
        raise AwsError("DBInstanceNotFound", f"DBInstance {identifier} not found.")
    return instance


def available(identifier: str | None) -> Instance:
    """The instance of that name, which must be in the state that every change of it asks for."""
    instance = find(identifier)
    if instance.status != "available":
        raise AwsError("InvalidDBInstanceState", f"Instance {instance.id} is not in available state.")
    return instance


def checked_name(name: str, parameter: str, longest: int) -> str:
    """A valid identifier, lower-cased as RDS stores it (FACTS B3)."""
    if len(name) > longest or not IDENTIFIER.fullmatch(name):
        raise AwsError(
            "InvalidParameterValue",
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain "
            "only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two of them in a row.",
        )
    return name.lower()


def new_name(name: str) -> str:
    """A free identifier for an instance, within the quota of the region."""
    identifier = checked_name(name, "DBInstanceIdentifier", 63)
    if identifier in instances:
        raise AwsError("DBInstanceAlreadyExists", "DB instance already exists")
    if len(instances) >= INSTANCE_QUOTA:
        raise AwsError("InstanceQuotaExceeded", "Cannot create more than 40 DB instances")
    return identifier


def checked_parameter_group(name: str) -> str:
    groups = rds_backends[ACCOUNT][REGION].db_parameter_groups
    if not name.startswith("default.postgres") and name not in groups:
        raise AwsError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")
    return name


def checked_class(name: str) -> str:
    if not INSTANCE_CLASS.fullmatch(name):
        raise AwsError("InvalidParameterValue", f"Invalid DB Instance class: {name}")
    return name


def subnet_group(name: str) -> Document:
    """The DBSubnetGroup document: Nova's own and the default one exist."""
    if name not in ("default", "nova-db"):
        raise AwsError("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.")
    subnets = [
        {
            "SubnetIdentifier": f"subnet-0{'d' if name == 'default' else 'a'}5e1f0c2b3d4e5f{number}",
            "SubnetAvailabilityZone": {"Name": zone},
            "SubnetStatus": "Active",
        }
        for number, zone in enumerate(ZONES, start=10)
    ]
    group = {"DBSubnetGroupName": name, "DBSubnetGroupDescription": f"{name} subnets", "VpcId": "vpc-0a5e1f0c2b3d4e5f0"}
    return {
        **group,
        "SubnetGroupStatus": "Complete",
        "Subnets": subnets,
        "DBSubnetGroupArn": arn("rds", f"subgrp:{name}"),
        "SupportedNetworkTypes": ["IPV4"],
    }


def endpoint(address: str, port: int) -> Document:
    return {"Address": address, "Port": port, "HostedZoneId": "Z29XKXDKYMONMX"}


def other_zone(zone: str) -> str:
    """Where the standby of an instance in `zone` lives."""
    return ZONES[(ZONES.index(zone) + 1) % len(ZONES)]


def fresh(identifier: str, settings: Document) -> Instance:
    """A new instance with these settings; identity, address and creation time are its own."""
    wire = copy.deepcopy(settings)
    wire.update(
        DBInstanceIdentifier=identifier,
        DBInstanceArn=arn("rds", f"db:{identifier}"),
        DBInstanceStatus="creating",
        DbiResourceId=f"db-{world.hex_id(26).upper()}",
        InstanceCreateTime=world.now(),
        PendingModifiedValues={},
        ReadReplicaDBInstanceIdentifiers=[],
    )
    wire.pop("Endpoint", None)
    instance = Instance(wire, address=f"{identifier}.c0nova1sandb.{REGION}.rds.amazonaws.com")
    instances[identifier] = instance
    return instance


def filtered(found: list[Document], params: Params, fields: dict[str, tuple[str, ...]], name: str) -> Document:
    """A page of those documents that match the Filters parameter; `fields` says what each filter looks at."""
    for condition in params.get("Filters") or []:
        keys = fields.get(condition["Name"])
        if keys is None:
            raise AwsError("InvalidParameterValue", f"Unrecognized filter name: {condition['Name']}")
        found = [item for item in found if any(item.get(key) in condition["Values"] for key in keys)]
    return page(found, params, name)
