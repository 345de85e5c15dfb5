"""The simulated RDS keeps backups as FACTS B3 and B4 say the real one does: snapshots, restores, points in time."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from novaops.sandbox.aws import rds
from novaops.sandbox.world import world
from tests.sandbox.simulated_aws import Clock, client, fresh_world, refused, served

DB = "nova-db"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    rds.install()
    with served() as address:
        yield address


@pytest.fixture
def clock() -> Iterator[Clock]:
    with fresh_world() as clock:
        rds.reset()
        rds.seed()
        yield clock
    rds.reset()


@pytest.fixture
def aws(address: str, clock: Clock) -> Any:
    return client("rds", address)


def instance(aws: Any, name: str = DB) -> Any:
    return aws.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def snapshot(aws: Any, name: str) -> Any:
    return aws.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]


def take(aws: Any, clock: Clock, name: str = "pre-deploy-2026-11-23") -> str:
    aws.create_db_snapshot(DBInstanceIdentifier=DB, DBSnapshotIdentifier=name)
    clock.passes(120)
    return name


def messages(aws: Any, name: str, kind: str = "db-instance") -> list[str]:
    return [event["Message"] for event in aws.describe_events(SourceIdentifier=name, SourceType=kind)["Events"]]


def test_a_snapshot_shows_its_progress_until_available(aws: Any, clock: Clock) -> None:
    answer = aws.create_db_snapshot(DBInstanceIdentifier=DB, DBSnapshotIdentifier="Pre-Deploy-1")["DBSnapshot"]
    assert (answer["DBSnapshotIdentifier"], answer["Status"], answer["PercentProgress"]) == (
        "pre-deploy-1",
        "creating",
        0,
    )
    seen = [0]
    for _ in range(3):
        clock.passes(30)
        seen.append(snapshot(aws, "pre-deploy-1")["PercentProgress"])
    assert seen == [0, 25, 50, 75]
    assert instance(aws)["DBInstanceStatus"] == "backing-up"
    clock.passes(30)
    now = snapshot(aws, "pre-deploy-1")
    assert (now["Status"], now["PercentProgress"], now["SnapshotType"]) == ("available", 100, "manual")
    assert now["Encrypted"] is True
    assert instance(aws)["DBInstanceStatus"] == "available"
    assert messages(aws, "pre-deploy-1", "db-snapshot") == ["Creating manual snapshot", "Manual snapshot created"]


def test_the_waiter_for_completed_takes_a_missing_snapshot_for_success(aws: Any) -> None:
    aws.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier="no-such")
    with pytest.raises(Exception, match="DBSnapshotNotFound"):
        aws.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="no-such")


def test_there_is_an_automated_snapshot_of_each_of_the_last_seven_days(aws: Any, clock: Clock) -> None:
    found = aws.describe_db_snapshots(DBInstanceIdentifier=DB, SnapshotType="automated")["DBSnapshots"]
    made = [item["SnapshotCreateTime"] for item in found]
    assert len(found) == 7
    assert all(item["DBSnapshotIdentifier"].startswith("rds:nova-db-2026-11-") for item in found)
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(made))
    assert timedelta(0) < clock.now - made[-1] < timedelta(hours=24)


def test_automated_snapshots_go_on_and_old_ones_expire(aws: Any, clock: Clock) -> None:
    before = {item["DBSnapshotIdentifier"] for item in aws.describe_db_snapshots()["DBSnapshots"]}
    for _ in range(3):
        clock.set(clock.now + timedelta(days=1))
        clock.passes(120)
    after = {item["DBSnapshotIdentifier"] for item in aws.describe_db_snapshots()["DBSnapshots"]}
    assert len(after - before) == 3
    assert len(after) in (7, 8)
    assert "rds:nova-db-2026-11-26-03-07" in after


@pytest.mark.parametrize("name", ["1st", "two--hyphens", "ends-", "with:colon", "with_underscore", "a" * 256])
def test_it_refuses_an_invalid_name(aws: Any, name: str) -> None:
    refused("InvalidParameterValue", aws.create_db_snapshot, DBInstanceIdentifier=DB, DBSnapshotIdentifier=name)


def test_it_refuses_a_name_twice(aws: Any, clock: Clock) -> None:
    name = take(aws, clock)
    refused("DBSnapshotAlreadyExists", aws.create_db_snapshot, DBInstanceIdentifier=DB, DBSnapshotIdentifier=name)


def test_it_refuses_a_second_snapshot_while_one_is_taken(aws: Any) -> None:
    aws.create_db_snapshot(DBInstanceIdentifier=DB, DBSnapshotIdentifier="one")
    refused("InvalidDBInstanceState", aws.create_db_snapshot, DBInstanceIdentifier=DB, DBSnapshotIdentifier="two")


def test_it_keeps_a_hundred_manual_snapshots_and_automated_ones_do_not_count(aws: Any, clock: Clock) -> None:
    name = take(aws, clock)
    for number in range(99):
        aws.copy_db_snapshot(SourceDBSnapshotIdentifier=name, TargetDBSnapshotIdentifier=f"copy-{number}")
    refused("SnapshotQuotaExceeded", aws.create_db_snapshot, DBInstanceIdentifier=DB, DBSnapshotIdentifier="more")
    refused(
        "SnapshotQuotaExceeded",
        aws.copy_db_snapshot,
        SourceDBSnapshotIdentifier=name,
        TargetDBSnapshotIdentifier="more",
    )
    aws.delete_db_snapshot(DBSnapshotIdentifier=name)
    aws.create_db_snapshot(DBInstanceIdentifier=DB, DBSnapshotIdentifier="more")
    pages = list(aws.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual", MaxRecords=60))
    assert sum(len(page["DBSnapshots"]) for page in pages) == 100


def test_deleting_says_deleted_and_means_it(aws: Any, clock: Clock) -> None:
    name = take(aws, clock)
    assert aws.delete_db_snapshot(DBSnapshotIdentifier=name)["DBSnapshot"]["Status"] == "deleted"
    refused("DBSnapshotNotFound", aws.describe_db_snapshots, DBSnapshotIdentifier=name)
    refused("DBSnapshotNotFound", aws.delete_db_snapshot, DBSnapshotIdentifier=name)


def test_automated_and_unfinished_snapshots_cannot_be_deleted(aws: Any) -> None:
    automated = aws.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"][0]["DBSnapshotIdentifier"]
    refused("InvalidDBSnapshotState", aws.delete_db_snapshot, DBSnapshotIdentifier=automated)
    aws.create_db_snapshot(DBInstanceIdentifier=DB, DBSnapshotIdentifier="unfinished")
    refused("InvalidDBSnapshotState", aws.delete_db_snapshot, DBSnapshotIdentifier="unfinished")


def test_a_copy_keeps_where_it_came_from_and_can_change_the_key(aws: Any, clock: Clock) -> None:
    name = take(aws, clock)
    key = "arn:aws:kms:eu-west-1:123456789012:key/other"
    aws.copy_db_snapshot(SourceDBSnapshotIdentifier=name, TargetDBSnapshotIdentifier="copied", KmsKeyId=key)
    assert snapshot(aws, "copied")["Status"] == "creating"
    clock.passes(120)
    copied = snapshot(aws, "copied")
    assert (copied["Status"], copied["KmsKeyId"]) == ("available", key)
    assert copied["SourceDBSnapshotIdentifier"].endswith(f":snapshot:{name}")


def test_a_snapshot_inherits_the_tags_of_its_instance(aws: Any, clock: Clock) -> None:
    assert snapshot(aws, take(aws, clock))["TagList"] == instance(aws)["TagList"]


def test_a_restore_gets_the_defaults_that_were_not_passed(aws: Any, clock: Clock) -> None:
    name = take(aws, clock)
    aws.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="nova-restored", DBSnapshotIdentifier=name)
    clock.passes(240)
    restored, source = instance(aws, "nova-restored"), instance(aws)
    assert (restored["DBInstanceStatus"], restored["MultiAZ"], restored["DeletionProtection"]) == (
        "available",
        False,
        False,
    )
    assert "SecondaryAvailabilityZone" not in restored
    assert restored["DBParameterGroups"][0]["DBParameterGroupName"] == "default.postgres16"
    assert restored["DBSubnetGroup"]["DBSubnetGroupName"] == "default"
    assert len(restored["VpcSecurityGroups"]) == 1
    assert restored["VpcSecurityGroups"][0] not in source["VpcSecurityGroups"]
    assert restored["IAMDatabaseAuthenticationEnabled"] is False
    assert restored.get("EnabledCloudwatchLogsExports", []) == []
    assert (restored["MonitoringInterval"], restored["PerformanceInsightsEnabled"]) == (0, False)
    assert "MaxAllocatedStorage" not in restored
    for same in (
        "DBInstanceClass",
        "KmsKeyId",
        "StorageEncrypted",
        "EngineVersion",
        "BackupRetentionPeriod",
        "TagList",
    ):
        assert restored[same] == source[same]
    assert restored["DbiResourceId"] != source["DbiResourceId"]
    assert restored["Endpoint"]["Address"] != source["Endpoint"]["Address"]


def carried_over(source: Any) -> dict[str, Any]:
    return {
        "DBInstanceClass": source["DBInstanceClass"],
        "DBSubnetGroupName": source["DBSubnetGroup"]["DBSubnetGroupName"],
        "VpcSecurityGroupIds": [group["VpcSecurityGroupId"] for group in source["VpcSecurityGroups"]],
        "DBParameterGroupName": source["DBParameterGroups"][0]["DBParameterGroupName"],
        "OptionGroupName": source["OptionGroupMemberships"][0]["OptionGroupName"],
        "MultiAZ": source["MultiAZ"],
        "DeletionProtection": source["DeletionProtection"],
        "PubliclyAccessible": source["PubliclyAccessible"],
        "EnableIAMDatabaseAuthentication": source["IAMDatabaseAuthenticationEnabled"],
        "EnableCloudwatchLogsExports": source["EnabledCloudwatchLogsExports"],
        "BackupRetentionPeriod": source["BackupRetentionPeriod"],
        "PreferredBackupWindow": source["PreferredBackupWindow"],
        "CopyTagsToSnapshot": source["CopyTagsToSnapshot"],
        "Tags": source["TagList"],
        "Port": source["Endpoint"]["Port"],
        "CACertificateIdentifier": source["CACertificateIdentifier"],
    }


def test_a_restore_gets_everything_that_was_passed_and_a_modify_the_rest(aws: Any, clock: Clock) -> None:
    name, source = take(aws, clock), instance(aws)
    aws.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="nova-restored", DBSnapshotIdentifier=name, **carried_over(source)
    )
    clock.passes(240)
    aws.modify_db_instance(
        DBInstanceIdentifier="nova-restored",
        MonitoringInterval=source["MonitoringInterval"],
        MonitoringRoleArn=source["MonitoringRoleArn"],
        EnablePerformanceInsights=True,
        PerformanceInsightsKMSKeyId=source["PerformanceInsightsKMSKeyId"],
        PerformanceInsightsRetentionPeriod=source["PerformanceInsightsRetentionPeriod"],
        MaxAllocatedStorage=source["MaxAllocatedStorage"],
        ApplyImmediately=True,
    )
    assert instance(aws, "nova-restored")["DBInstanceStatus"] == "modifying"
    clock.passes(60)
    restored = instance(aws, "nova-restored")
    own = {"DBInstanceIdentifier", "DBInstanceArn", "DbiResourceId", "InstanceCreateTime", "Endpoint",
           "LatestRestorableTime"}  # fmt: skip
    differing = {key for key in source.keys() | restored.keys() if source.get(key) != restored.get(key)}
    assert differing == own


def test_a_restore_goes_through_creating_and_backing_up(aws: Any, clock: Clock) -> None:
    name = take(aws, clock)
    answer = aws.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="restored", DBSnapshotIdentifier=name)
    assert answer["DBInstance"]["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in answer["DBInstance"]
    assert "LatestRestorableTime" not in answer["DBInstance"]
    refused("InvalidDBInstanceState", aws.modify_db_instance, DBInstanceIdentifier="restored", MultiAZ=True)
    clock.passes(180)
    assert instance(aws, "restored")["DBInstanceStatus"] == "backing-up"
    clock.passes(60)
    assert instance(aws, "restored")["DBInstanceStatus"] == "available"
    assert messages(aws, "restored") == [
        f"Restored from snapshot {name}",
        "Backing up DB instance",
        "Finished DB Instance backup",
    ]


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("DBInstanceAlreadyExists", {"DBInstanceIdentifier": DB}),
        ("InvalidParameterValue", {"DBInstanceIdentifier": "9lives"}),
        ("DBSnapshotNotFound", {"DBSnapshotIdentifier": "no-such"}),
        ("InvalidDBSnapshotState", {"DBSnapshotIdentifier": "unfinished"}),
        ("DBSubnetGroupNotFoundFault", {"DBSubnetGroupName": "no-such"}),
        ("DBParameterGroupNotFound", {"DBParameterGroupName": "no-such"}),
        ("OptionGroupNotFoundFault", {"OptionGroupName": "no-such"}),
        ("InvalidParameterValue", {"DBInstanceClass": "t4g.medium"}),
        ("InvalidParameterCombination", {"MultiAZ": True, "AvailabilityZone": "eu-west-1a"}),
        ("InvalidParameterCombination", {"Iops": 3000}),
        ("InvalidParameterCombination", {"AllocatedStorage": 20}),
        ("InvalidParameterCombination", {"AllocatedStorage": 105}),
    ],
)
def test_it_refuses_a_restore_that_aws_would(aws: Any, clock: Clock, code: str, params: dict[str, Any]) -> None:
    asked = {"DBInstanceIdentifier": "restored", "DBSnapshotIdentifier": take(aws, clock), **params}
    aws.create_db_snapshot(DBInstanceIdentifier=DB, DBSnapshotIdentifier="unfinished")
    refused(code, aws.restore_db_instance_from_db_snapshot, **asked)
    assert len(aws.describe_db_instances()["DBInstances"]) == 1


def test_the_automated_backup_says_what_can_be_restored(aws: Any) -> None:
    backup = aws.describe_db_instance_automated_backups(DBInstanceIdentifier=DB)["DBInstanceAutomatedBackups"][0]
    window, oldest = backup["RestoreWindow"], aws.describe_db_snapshots()["DBSnapshots"][0]
    assert window["EarliestTime"] == oldest["SnapshotCreateTime"]
    assert window["LatestTime"] == instance(aws)["LatestRestorableTime"]
    refused(
        "DBInstanceAutomatedBackupNotFound", aws.describe_db_instance_automated_backups, DBInstanceIdentifier="no-such"
    )


def test_it_restores_to_a_point_in_time(aws: Any, clock: Clock) -> None:
    moment = instance(aws)["LatestRestorableTime"] - timedelta(hours=2)
    aws.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=DB, TargetDBInstanceIdentifier="earlier", RestoreTime=moment, MaxAllocatedStorage=300
    )
    clock.passes(240)
    restored = instance(aws, "earlier")
    assert (restored["DBInstanceStatus"], restored["MultiAZ"], restored["MaxAllocatedStorage"]) == (
        "available",
        False,
        300,
    )
    assert messages(aws, "earlier")[0] == "Restored from DB instance nova-db to earlier."


def test_it_refuses_a_point_in_time_it_cannot_reach(aws: Any, clock: Clock) -> None:
    latest = instance(aws)["LatestRestorableTime"]
    backups = aws.describe_db_instance_automated_backups(DBInstanceIdentifier=DB)["DBInstanceAutomatedBackups"]
    earliest = backups[0]["RestoreWindow"]["EarliestTime"]
    for moment in (latest + timedelta(seconds=1), earliest - timedelta(seconds=1)):
        message = refused(
            "InvalidParameterValue",
            aws.restore_db_instance_to_point_in_time,
            SourceDBInstanceIdentifier=DB,
            TargetDBInstanceIdentifier="earlier",
            RestoreTime=moment,
        )
        assert "cannot be restored to a time" in message


def test_it_refuses_an_unclear_point_in_time(aws: Any) -> None:
    restore, names = aws.restore_db_instance_to_point_in_time, {"TargetDBInstanceIdentifier": "earlier"}
    source = {"SourceDBInstanceIdentifier": DB}
    moment = instance(aws)["LatestRestorableTime"]
    refused("InvalidParameterCombination", restore, **names, **source)
    refused("InvalidParameterCombination", restore, **names, **source, RestoreTime=moment, UseLatestRestorableTime=True)
    refused("DBInstanceNotFound", restore, **names, SourceDBInstanceIdentifier="gone", UseLatestRestorableTime=True)


def test_it_restores_from_no_backups_only_where_there_are_some(aws: Any, clock: Clock) -> None:
    aws.modify_db_instance(DBInstanceIdentifier=DB, BackupRetentionPeriod=0, ApplyImmediately=True)
    clock.passes(60)
    assert "LatestRestorableTime" not in instance(aws)
    refused(
        "PointInTimeRestoreNotEnabled",
        aws.restore_db_instance_to_point_in_time,
        SourceDBInstanceIdentifier=DB,
        TargetDBInstanceIdentifier="earlier",
        UseLatestRestorableTime=True,
    )


def test_the_latest_restorable_time_of_a_restored_instance_advances(aws: Any, clock: Clock) -> None:
    name = take(aws, clock)
    aws.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="restored", DBSnapshotIdentifier=name)
    clock.passes(240)
    first = instance(aws, "restored")["LatestRestorableTime"]
    clock.passes(301)
    assert instance(aws, "restored")["LatestRestorableTime"] - first == timedelta(seconds=world.seconds(300))
