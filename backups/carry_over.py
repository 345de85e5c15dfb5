"""What a restored instance takes over from production, which RDS does not take over by itself (FACTS B4).

A restore that names nothing gets the default parameter group, the VPC's default security group, one zone and no
deletion protection. Storage is not named: it comes with the snapshot, and a gp3 volume below 400 GiB is refused when
its own IOPS are passed.
"""

from collections.abc import Mapping
from typing import Any

Described = Mapping[str, Any]
# The parameters that both calls and descriptions name alike.
SAME_NAME = (
    "DBInstanceClass", "MultiAZ", "DeletionProtection", "PubliclyAccessible", "BackupRetentionPeriod",
    "PreferredBackupWindow", "CopyTagsToSnapshot", "AutoMinorVersionUpgrade", "NetworkType", "CACertificateIdentifier",
    "DedicatedLogVolume", "EngineLifecycleSupport",
)  # fmt: skip
# What only ModifyDBInstance takes, afterwards.
AFTERWARDS = (
    "MonitoringInterval", "MonitoringRoleArn", "MaxAllocatedStorage", "PreferredMaintenanceWindow",
    "DatabaseInsightsMode", "PerformanceInsightsRetentionPeriod",
)  # fmt: skip


def restore_parameters(described: Described) -> dict[str, Any]:
    """What RestoreDBInstanceFromDBSnapshot is to be told, beside the two identifiers and the tags."""
    found = {name: described[name] for name in SAME_NAME if described.get(name) not in (None, "")}
    found |= {
        "DBSubnetGroupName": described["DBSubnetGroup"]["DBSubnetGroupName"],
        "VpcSecurityGroupIds": [group["VpcSecurityGroupId"] for group in described["VpcSecurityGroups"]],
        "DBParameterGroupName": described["DBParameterGroups"][0]["DBParameterGroupName"],
        "OptionGroupName": described["OptionGroupMemberships"][0]["OptionGroupName"],
        "EnableIAMDatabaseAuthentication": described.get("IAMDatabaseAuthenticationEnabled", False),
        "EnableCloudwatchLogsExports": sorted(described.get("EnabledCloudwatchLogsExports", [])),
        "Port": described["Endpoint"]["Port"],
    }
    return found


def tags(described: Described) -> list[dict[str, str]]:
    """Production's tags without those that AWS keeps for itself."""
    return [dict(tag) for tag in described.get("TagList", []) if not tag["Key"].startswith("aws:")]


def modify_parameters(described: Described) -> dict[str, Any]:
    """What ModifyDBInstance is to be told once the restored instance is there; empty where nothing is left to say."""
    found = {name: described[name] for name in AFTERWARDS if described.get(name)}
    if not found.get("MonitoringInterval"):
        found.pop("MonitoringRoleArn", None)
    if described.get("PerformanceInsightsEnabled"):
        found["EnablePerformanceInsights"] = True
    else:
        found.pop("PerformanceInsightsRetentionPeriod", None)
    return found


def differences(production: Described, restored: Described) -> list[str]:
    """In words, each setting that the restored instance does not have as production has it."""
    wanted = {**restore_parameters(production), **modify_parameters(production)}
    got = {**restore_parameters(restored), **modify_parameters(restored)}
    return [
        f"{name} is {got.get(name)!r} instead of {wanted[name]!r}"
        for name in sorted(wanted)
        if got.get(name) != wanted[name]
    ]
