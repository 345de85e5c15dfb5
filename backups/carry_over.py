"""What a restored instance takes over from production, which RDS does not take over by itself (FACTS B4).

A restore that names nothing gets the default parameter group, the VPC's default security group, one zone and no
deletion protection. Storage is not named: it comes with the snapshot, and a gp3 volume below 400 GiB is refused when
its own IOPS are passed. The encryption key is that of the snapshot.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Described = Mapping[str, Any]
Changes = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting: `name` is that of the call, `key` that of our form, `kind` text, flag, number, list or pairs.

    `afterwards` is what only ModifyDBInstance takes. `read` finds it in a description, None where it is not set.
    """

    name: str
    key: str
    label: str
    kind: str = "text"
    afterwards: bool = False
    read: Callable[[Described], Any]


def _same(name: str, key: str, label: str, kind: str = "text", *, afterwards: bool = False) -> Setting:
    """A setting that calls and descriptions name alike."""
    return Setting(name=name, key=key, label=label, kind=kind, afterwards=afterwards, read=lambda told: told.get(name))


def _monitoring_role(told: Described) -> Any:
    return told.get("MonitoringRoleArn") if told.get("MonitoringInterval") else None


def _of_insights(name: str) -> Callable[[Described], Any]:
    return lambda told: told.get(name) if told.get("PerformanceInsightsEnabled") else None


def _first(told: Described, name: str) -> Described:
    """The first of a list in a description: members of a cluster may have groups of their own or not."""
    found: list[Described] = told.get(name) or [{}]
    return found[0]


def _managed_password(told: Described) -> Any:
    return True if told.get("MasterUserSecret") else None


SETTINGS = (
    _same("DBInstanceClass", "instance_class", "Instance class"),
    _same("MultiAZ", "multi_az", "Multi-AZ", "flag"),
    Setting(
        name="DBSubnetGroupName",
        key="subnet_group",
        label="Subnet group",
        read=lambda told: told["DBSubnetGroup"]["DBSubnetGroupName"],
    ),
    Setting(
        name="VpcSecurityGroupIds",
        key="security_groups",
        label="Security groups",
        kind="list",
        read=lambda told: sorted(group["VpcSecurityGroupId"] for group in told["VpcSecurityGroups"]),
    ),
    Setting(
        name="DBParameterGroupName",
        key="parameter_group",
        label="Parameter group",
        read=lambda told: _first(told, "DBParameterGroups").get("DBParameterGroupName"),
    ),
    Setting(
        name="OptionGroupName",
        key="option_group",
        label="Option group",
        read=lambda told: _first(told, "OptionGroupMemberships").get("OptionGroupName"),
    ),
    _same("DeletionProtection", "deletion_protection", "Deletion protection", "flag"),
    _same("PubliclyAccessible", "publicly_accessible", "Publicly accessible", "flag"),
    Setting(
        name="EnableIAMDatabaseAuthentication",
        key="iam_authentication",
        label="IAM authentication",
        kind="flag",
        read=lambda told: told.get("IAMDatabaseAuthenticationEnabled", False),
    ),
    Setting(
        name="EnableCloudwatchLogsExports",
        key="log_exports",
        label="Logs sent to CloudWatch",
        kind="list",
        read=lambda told: sorted(told.get("EnabledCloudwatchLogsExports", [])),
    ),
    _same("BackupRetentionPeriod", "backup_retention_days", "Backups kept (days)", "number"),
    _same("PreferredBackupWindow", "backup_window", "Backup window (UTC)"),
    _same("CopyTagsToSnapshot", "copy_tags_to_snapshots", "Copy tags to snapshots", "flag"),
    _same("AutoMinorVersionUpgrade", "minor_upgrades", "Minor upgrades by themselves", "flag"),
    Setting(
        name="Port",
        key="port",
        label="Port",
        kind="number",
        read=lambda told: told.get("Endpoint", {}).get("Port"),
    ),
    _same("NetworkType", "network_type", "Network type"),
    _same("CACertificateIdentifier", "ca_certificate", "CA certificate"),
    _same("DedicatedLogVolume", "dedicated_log_volume", "Dedicated log volume", "flag"),
    _same("EngineLifecycleSupport", "lifecycle_support", "Lifecycle support"),
    Setting(
        name="ProcessorFeatures",
        key="processor_features",
        label="Processor features",
        kind="pairs",
        read=lambda told: sorted(told.get("ProcessorFeatures") or [], key=lambda one: str(one["Name"])) or None,
    ),
    _same("MonitoringInterval", "monitoring_interval_s", "Enhanced monitoring (s)", "number", afterwards=True),
    Setting(
        name="MonitoringRoleArn",
        key="monitoring_role",
        label="Monitoring role",
        afterwards=True,
        read=_monitoring_role,
    ),
    Setting(
        name="EnablePerformanceInsights",
        key="performance_insights",
        label="Performance Insights",
        kind="flag",
        afterwards=True,
        read=lambda told: told.get("PerformanceInsightsEnabled"),
    ),
    Setting(
        name="PerformanceInsightsKMSKeyId",
        key="insights_key",
        label="Key of Performance Insights",
        afterwards=True,
        read=_of_insights("PerformanceInsightsKMSKeyId"),
    ),
    Setting(
        name="PerformanceInsightsRetentionPeriod",
        key="insights_retention_days",
        label="Performance Insights kept (days)",
        kind="number",
        afterwards=True,
        read=_of_insights("PerformanceInsightsRetentionPeriod"),
    ),
    _same("DatabaseInsightsMode", "insights_mode", "Database Insights mode", afterwards=True),
    _same("MaxAllocatedStorage", "max_storage_gb", "Storage grows up to (GiB)", "number", afterwards=True),
    _same("PreferredMaintenanceWindow", "maintenance_window", "Maintenance window (UTC)", afterwards=True),
    Setting(
        name="ManageMasterUserPassword",
        key="managed_password",
        label="Password kept by Secrets Manager",
        kind="flag",
        afterwards=True,
        read=_managed_password,
    ),
)
# Beside the settings: not parameters of their own form, but equal or told.
STORAGE = ("StorageType", "Iops", "StorageThroughput", "AllocatedStorage")


def wanted(described: Described, changes: Changes) -> dict[str, Any]:
    """Every setting that the new instance shall have, by the name of its parameter: production's, but for `changes`."""
    found = {one.name: changes[one.key] if one.key in changes else one.read(described) for one in SETTINGS}
    found = {name: value for name, value in found.items() if value not in (None, "")}
    if not found.get("MonitoringInterval"):
        found.pop("MonitoringRoleArn", None)
    if not found.get("EnablePerformanceInsights"):
        found = {name: value for name, value in found.items() if not name.startswith("PerformanceInsights")}
    return found


def at_once(found: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the wanted settings that a restore takes."""
    return {one.name: found[one.name] for one in SETTINGS if one.name in found and not one.afterwards}


def afterwards(found: Mapping[str, Any]) -> dict[str, Any]:
    """Those that only a modify takes, once the instance is there; what is off is off already."""
    return {one.name: found[one.name] for one in SETTINGS if found.get(one.name) and one.afterwards}


def tags(described: Described) -> list[dict[str, str]]:
    """Production's tags without those that AWS keeps for itself."""
    return [dict(tag) for tag in described.get("TagList", []) if not tag["Key"].startswith("aws:")]


def roles(described: Described) -> list[dict[str, str]]:
    """The IAM roles that the instance uses, which are added one by one."""
    return [
        {"RoleArn": role["RoleArn"], "FeatureName": role.get("FeatureName", "")}
        for role in described.get("AssociatedRoles", [])
    ]


def storage(described: Described) -> dict[str, Any]:
    """What of the storage comes with the snapshot."""
    return {name: described[name] for name in (*STORAGE, "KmsKeyId", "StorageEncrypted") if name in described}


def differences(production: Described, restored: Described, changes: Changes) -> list[str]:
    """In words, each setting that the restored instance does not have as production has it, but for `changes`."""
    want, got = wanted(production, changes), wanted(restored, {})
    found = [
        f"{name} is {got.get(name)!r} instead of {want[name]!r}" for name in sorted(want) if got.get(name) != want[name]
    ]
    kept = {tag["Key"]: tag["Value"] for tag in tags(restored)}
    found += [f"the tag {tag['Key']} is missing" for tag in tags(production) if kept.get(tag["Key"]) != tag["Value"]]
    has = roles(restored)
    return found + [f"the role {role['RoleArn']} is missing" for role in roles(production) if role not in has]
