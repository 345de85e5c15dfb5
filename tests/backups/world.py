"""What the tests of backups do to Nova behind NovaOps' back, and see with clients of their own."""

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import psycopg

from novaops.sandbox.child import until
from tests.servers import Nova

# FACTS B4: every setting that a restore loses unless it is passed or set afterwards, by its name in a description.
CARRIED_OVER = (
    "DBInstanceClass", "DBParameterGroups", "OptionGroupMemberships", "MultiAZ", "DeletionProtection",
    "PubliclyAccessible", "IAMDatabaseAuthenticationEnabled", "EnabledCloudwatchLogsExports", "BackupRetentionPeriod",
    "PreferredBackupWindow", "CopyTagsToSnapshot", "AutoMinorVersionUpgrade", "NetworkType",
    "CACertificateIdentifier", "DedicatedLogVolume", "EngineLifecycleSupport", "StorageType", "AllocatedStorage",
    "StorageEncrypted", "KmsKeyId", "MonitoringInterval", "MonitoringRoleArn", "PerformanceInsightsEnabled",
    "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod", "DatabaseInsightsMode",
    "MaxAllocatedStorage", "PreferredMaintenanceWindow", "AssociatedRoles", "ProcessorFeatures", "DBSubnetGroup",
    "VpcSecurityGroups",
)  # fmt: skip
PRODUCTION = "nova-db"


@cache
def rds() -> Any:
    """A client of the tests' own, made once."""
    return boto3.client("rds")


def described(name: str) -> dict[str, Any]:
    """The instance as a client of its own reads it."""
    return dict(rds().describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def _wait_until_available(name: str) -> None:
    assert until(lambda: described(name)["DBInstanceStatus"] == "available", 30)


def instances() -> list[str]:
    found = rds().describe_db_instances()["DBInstances"]
    return [one["DBInstanceIdentifier"] for one in found]


def create(name: str) -> None:
    """An instance that no restore of ours made."""
    rds().create_db_instance(
        DBInstanceIdentifier=name, Engine="postgres", DBInstanceClass="db.t4g.micro", BackupRetentionPeriod=0
    )
    _wait_until_available(name)


def unlike_the_defaults() -> None:
    """Let production have what no default has, so that a setting that is not carried over is seen."""
    rds().modify_db_instance(
        DBInstanceIdentifier=PRODUCTION,
        PreferredBackupWindow="01:10-01:40",
        PreferredMaintenanceWindow="tue:02:00-tue:02:30",
        BackupRetentionPeriod=9,
        AutoMinorVersionUpgrade=False,
        CACertificateIdentifier="rds-ca-ecc384-g1",
        DatabaseInsightsMode="advanced",
        ProcessorFeatures=[{"Name": "coreCount", "Value": "2"}, {"Name": "threadsPerCore", "Value": "1"}],
        ApplyImmediately=True,
    )
    _wait_until_available(PRODUCTION)
    role = "arn:aws:iam::123456789012:role/nova-s3-export"
    rds().add_role_to_db_instance(DBInstanceIdentifier=PRODUCTION, RoleArn=role, FeatureName="s3Export")


def insert_users(*moments: datetime) -> None:
    """Rows that came at these moments, as Nova writes them."""
    with psycopg.connect(os.environ["NOVA_DATABASE_URL"], autocommit=True) as connection:
        for at in moments:
            connection.execute(
                "INSERT INTO users SELECT max(id) + 1, 'late' || max(id) + 1 || '@example.com', 'G', 0, %s FROM users",
                [at],
            )


def forget_users() -> None:
    """Only the seeded ones are left."""
    with psycopg.connect(os.environ["NOVA_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DELETE FROM users WHERE id > 2000")


def a_second_ago(seconds: float = 0) -> datetime:
    """A whole second of the past."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1 + seconds)


def made_by(aws: Nova) -> list[str]:
    """The names of the instances that runs asked AWS for."""
    names = ("DBInstanceIdentifier", "TargetDBInstanceIdentifier")
    asked = [effect for effect in aws.effects() if effect["operation"].startswith("Restore")]
    return [next(effect["params"][name] for name in reversed(names) if name in effect["params"]) for effect in asked]
