"""The settings of a simulated DB instance: AWS's defaults, and what the parameters of a call make of them."""

from collections.abc import Callable
from typing import Any

from novaops.sandbox.aws.query import ZONES, Document, is_true
from novaops.sandbox.aws.rds_model import (
    DEFAULT_SECURITY_GROUP,
    KMS_KEY,
    checked_class,
    checked_parameter_group,
    other_zone,
    subnet_group,
)
from novaops.sandbox.aws.wire import AwsError, Params, arn

SAME_NAME = (
    "BackupRetentionPeriod", "PreferredBackupWindow", "PreferredMaintenanceWindow", "CACertificateIdentifier",
    "EngineVersion", "EngineLifecycleSupport", "NetworkType", "DatabaseInsightsMode", "MonitoringInterval",
    "MonitoringRoleArn", "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod", "MaxAllocatedStorage",
    "MasterUsername", "DBName", "LicenseModel", "KmsKeyId", "ProcessorFeatures",
)  # fmt: skip
SAME_NAME_FLAGS = (
    "DeletionProtection", "PubliclyAccessible", "CopyTagsToSnapshot", "AutoMinorVersionUpgrade", "DedicatedLogVolume",
    "StorageEncrypted",
)  # fmt: skip
RENAMED_FLAGS = {
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
}
SMALLEST_WITH_IOPS_GB = 400


def defaults() -> Document:
    """What AWS gives an instance that asks for nothing (FACTS B4): also what a restore falls back to."""
    return {
        "Engine": "postgres",
        "EngineVersion": "16.8",
        "LicenseModel": "postgresql-license",
        "DBInstanceClass": "db.t4g.medium",
        "MasterUsername": "postgres",
        "AvailabilityZone": ZONES[0],
        "AllocatedStorage": 100,
        "StorageType": "gp3",
        "Iops": 3000,
        "StorageThroughput": 125,
        "StorageEncrypted": False,
        "BackupRetentionPeriod": 1,
        "PreferredBackupWindow": "03:00-03:30",
        "PreferredMaintenanceWindow": "sun:04:30-sun:05:00",
        "DbInstancePort": 0,
        "NetworkType": "IPV4",
        "CACertificateIdentifier": "rds-ca-rsa2048-g1",
        "EngineLifecycleSupport": "open-source-rds-extended-support",
        "BackupTarget": "region",
        "TagList": [],
        "AutoMinorVersionUpgrade": True,
        **not_carried_over(),
    }


def not_carried_over() -> Document:
    """The settings that a restore does not take from its source unless they are passed (FACTS B4)."""
    return {
        "MultiAZ": False,
        "DeletionProtection": False,
        "PubliclyAccessible": False,
        "CopyTagsToSnapshot": False,
        "DedicatedLogVolume": False,
        "IAMDatabaseAuthenticationEnabled": False,
        "EnabledCloudwatchLogsExports": [],
        "MonitoringInterval": 0,
        "PerformanceInsightsEnabled": False,
        "DatabaseInsightsMode": "standard",
        "AssociatedRoles": [],
        "DBSecurityGroups": [],
        "DomainMemberships": [],
        "DBSubnetGroup": subnet_group("default"),
        "VpcSecurityGroups": [{"VpcSecurityGroupId": DEFAULT_SECURITY_GROUP, "Status": "active"}],
        "DBParameterGroups": [{"DBParameterGroupName": "default.postgres16", "ParameterApplyStatus": "in-sync"}],
        "OptionGroupMemberships": [{"OptionGroupName": "default:postgres-16", "Status": "in-sync"}],
    }


def apply(settings: Document, params: Params) -> None:
    """Change `settings` in place as the parameters of a create, restore or modify call say; refuse what AWS refuses."""
    settings.update({name: params[name] for name in SAME_NAME if name in params})
    settings.update({name: is_true(params[name]) for name in SAME_NAME_FLAGS if name in params})
    settings.update({name: is_true(params[flag]) for flag, name in RENAMED_FLAGS.items() if flag in params})
    for name, change in CHANGES.items():
        if params.get(name) is not None:
            change(settings, params[name])
    if "MonitoringInterval" in params and params["MonitoringInterval"] and not settings.get("MonitoringRoleArn"):
        raise AwsError(
            "InvalidParameterCombination",
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.",
        )
    _apply_storage(settings, params)
    _apply_zones(settings, params)
    if settings["StorageEncrypted"]:
        settings.setdefault("KmsKeyId", KMS_KEY)


def _apply_storage(settings: Document, params: Params) -> None:
    size, before = int(params.get("AllocatedStorage") or 0), int(settings["AllocatedStorage"])
    if size and size < before:
        raise AwsError("InvalidParameterCombination", "Storage size cannot be smaller than that of the source")
    if size and before < size < before * 1.1:
        raise AwsError("InvalidParameterCombination", "Storage must grow by at least 10 percent")
    if {"Iops", "StorageThroughput"} & params.keys() and (size or before) < SMALLEST_WITH_IOPS_GB:
        raise AwsError(
            "InvalidParameterCombination",
            "You can't specify IOPS or storage throughput for engine postgres and a storage size less than 400.",
        )
    settings["AllocatedStorage"] = size or before
    settings.update({name: params[name] for name in ("Iops", "StorageThroughput", "StorageType") if name in params})


def _apply_zones(settings: Document, params: Params) -> None:
    if is_true(params.get("MultiAZ")) and params.get("AvailabilityZone"):
        raise AwsError(
            "InvalidParameterCombination",
            "Requesting a specific availability zone is not valid for Multi-AZ instances.",
        )
    zone = params.get("AvailabilityZone", settings["AvailabilityZone"])
    if zone not in ZONES:
        raise AwsError("InvalidParameterValue", f"Invalid Availability zone '{zone}'")
    settings["AvailabilityZone"] = zone
    if "MultiAZ" in params:
        settings["MultiAZ"] = is_true(params["MultiAZ"])
    if settings["MultiAZ"]:
        settings.setdefault("SecondaryAvailabilityZone", other_zone(zone))
    else:
        settings.pop("SecondaryAvailabilityZone", None)


def _exported_logs(settings: Document, change: Document) -> None:
    on, off = change.get("EnableLogTypes") or [], change.get("DisableLogTypes") or []
    settings["EnabledCloudwatchLogsExports"] = sorted({*settings["EnabledCloudwatchLogsExports"], *on} - {*off})


def _parameter_group(settings: Document, name: str) -> None:
    group = {"DBParameterGroupName": checked_parameter_group(name), "ParameterApplyStatus": "in-sync"}
    settings["DBParameterGroups"] = [group]


def _security_groups(settings: Document, ids: list[str]) -> None:
    settings["VpcSecurityGroups"] = [{"VpcSecurityGroupId": group, "Status": "active"} for group in ids]


def _option_group(settings: Document, name: str) -> None:
    if not name.startswith("default:"):
        raise AwsError("OptionGroupNotFoundFault", f"Specified OptionGroupName: {name} not found.")
    settings["OptionGroupMemberships"] = [{"OptionGroupName": name, "Status": "in-sync"}]


def _monitoring_role(settings: Document, _: str) -> None:
    settings["EnhancedMonitoringResourceArn"] = arn("logs", "log-group:RDSOSMetrics:log-stream:db-nova")


def _set(name: str, value: Callable[[str], object] = str) -> Callable[[Document, str], None]:
    return lambda settings, given: settings.__setitem__(name, value(given))


CHANGES: dict[str, Callable[[Document, Any], None]] = {
    "DBInstanceClass": _set("DBInstanceClass", checked_class),
    "DBSubnetGroupName": _set("DBSubnetGroup", subnet_group),
    "DBParameterGroupName": _parameter_group,
    "VpcSecurityGroupIds": _security_groups,
    "OptionGroupName": _option_group,
    "MonitoringRoleArn": _monitoring_role,
    "EnableCloudwatchLogsExports": lambda settings, names: settings.update(EnabledCloudwatchLogsExports=sorted(names)),
    "CloudwatchLogsExportConfiguration": _exported_logs,
    "Tags": lambda settings, tags: settings.update(TagList=list(tags)),
}
