"""The simulated RDS behaves as FACTS B says the real one does: reboot, failover, changes and their events."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import WaiterError

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
    rds.on_restart.clear()


@pytest.fixture
def aws(address: str, clock: Clock) -> Any:
    return client("rds", address)


def instance(aws: Any, name: str = DB) -> Any:
    return aws.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def zones(aws: Any) -> tuple[str, str]:
    now = instance(aws)
    return now["AvailabilityZone"], now["SecondaryAvailabilityZone"]


def messages(aws: Any, name: str = DB, kind: str = "db-instance", **params: Any) -> list[str]:
    events = aws.describe_events(SourceIdentifier=name, SourceType=kind, **params)["Events"]
    return [event["Message"] for event in events]


def single_az(aws: Any, clock: Clock, name: str = "lonely", **params: Any) -> str:
    aws.create_db_instance(
        DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20, **params
    )
    clock.passes(240)
    return name


def test_it_describes_nova_as_production_has_it(aws: Any) -> None:
    now = instance(aws)
    assert (now["DBInstanceStatus"], now["Engine"], now["MultiAZ"]) == ("available", "postgres", True)
    assert (now["AvailabilityZone"], now["SecondaryAvailabilityZone"]) == ("eu-west-1a", "eu-west-1b")
    assert now["DBParameterGroups"] == [{"DBParameterGroupName": "nova-pg16", "ParameterApplyStatus": "in-sync"}]
    assert now["DBSubnetGroup"]["DBSubnetGroupName"] == "nova-db"
    assert now["OptionGroupMemberships"] == [{"OptionGroupName": "default:postgres-16", "Status": "in-sync"}]
    assert len(now["VpcSecurityGroups"]) == 2
    assert now["Endpoint"]["Port"] == 5432
    assert (now["DeletionProtection"], now["StorageEncrypted"], now["BackupRetentionPeriod"]) == (True, True, 7)
    assert (now["MonitoringInterval"], now["PerformanceInsightsEnabled"], now["MaxAllocatedStorage"]) == (60, True, 500)
    assert {"Key": "service", "Value": "nova"} in now["TagList"]


def test_it_is_the_same_world_from_the_same_seed(aws: Any) -> None:
    first = instance(aws)
    with fresh_world():
        rds.reset()
        rds.seed()
        assert instance(aws) == first


def test_it_ships_logs_every_five_minutes(aws: Any, clock: Clock) -> None:
    seen = set()
    for _ in range(10):
        clock.passes(100)
        latest = instance(aws)["LatestRestorableTime"]
        assert 0 <= (clock.now - latest).total_seconds() < world.seconds(300)
        seen.add(latest)
    assert 3 <= len(seen) <= 5


def test_a_reboot_takes_a_minute_and_keeps_the_zone(aws: Any, clock: Clock) -> None:
    before = zones(aws)
    answer = aws.reboot_db_instance(DBInstanceIdentifier=DB)
    assert answer["DBInstance"]["DBInstanceStatus"] == "rebooting"
    clock.passes(59)
    assert instance(aws)["DBInstanceStatus"] == "rebooting"
    clock.passes(1)
    assert instance(aws)["DBInstanceStatus"] == "available"
    assert zones(aws) == before
    assert messages(aws) == ["DB instance shutdown", "DB instance restarted"]


def test_a_forced_failover_swaps_the_zones_within_ninety_seconds(aws: Any, clock: Clock) -> None:
    before = zones(aws)
    aws.reboot_db_instance(DBInstanceIdentifier=DB, ForceFailover=True)
    assert zones(aws) == before
    clock.passes(89)
    assert instance(aws)["DBInstanceStatus"] == "rebooting"
    clock.passes(1)
    assert instance(aws)["DBInstanceStatus"] == "available"
    assert zones(aws) == before[::-1]
    said = messages(aws, EventCategories=["failover"])
    assert said[0] == "Multi-AZ instance failover started."
    assert said[-1] == "Multi-AZ instance failover completed."


@pytest.mark.parametrize("failover", [False, True])
def test_a_restart_cuts_the_connections_once(aws: Any, clock: Clock, failover: bool) -> None:
    cut: list[str] = []
    rds.on_restart.append(cut.append)
    aws.reboot_db_instance(DBInstanceIdentifier=DB, ForceFailover=failover)
    assert cut == []
    clock.passes(100)
    assert cut == [DB]


def test_it_accepts_and_abandons_a_failover_soon_after_another(aws: Any, clock: Clock) -> None:
    aws.reboot_db_instance(DBInstanceIdentifier=DB, ForceFailover=True)
    clock.passes(90)
    abandoned = 0
    for _ in range(8):
        before = zones(aws)
        answer = aws.reboot_db_instance(DBInstanceIdentifier=DB, ForceFailover=True)
        assert answer["DBInstance"]["DBInstanceStatus"] == "rebooting"
        clock.passes(90)
        assert instance(aws)["DBInstanceStatus"] == "available"
        abandoned += zones(aws) == before
    said = [text for text in messages(aws) if text.startswith("Abandoning user requested failover since a failover")]
    assert len(said) == abandoned
    assert 0 < abandoned < 8


def test_it_never_abandons_a_failover_ten_minutes_after_another(aws: Any, clock: Clock) -> None:
    for _ in range(6):
        before = zones(aws)
        aws.reboot_db_instance(DBInstanceIdentifier=DB, ForceFailover=True)
        clock.passes(700)
        assert zones(aws) == before[::-1]


def test_it_refuses_a_failover_of_a_single_zone_instance(aws: Any, clock: Clock) -> None:
    name = single_az(aws, clock)
    message = refused(
        "InvalidParameterCombination", aws.reboot_db_instance, DBInstanceIdentifier=name, ForceFailover=True
    )
    assert message.startswith("ForceFailover cannot be specified since the instance is not configured")
    assert instance(aws, name)["DBInstanceStatus"] == "available"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("reboot_db_instance", {"DBInstanceIdentifier": DB}),
        ("modify_db_instance", {"DBInstanceIdentifier": DB, "DeletionProtection": False}),
        ("create_db_snapshot", {"DBInstanceIdentifier": DB, "DBSnapshotIdentifier": "now"}),
        ("stop_db_instance", {"DBInstanceIdentifier": DB}),
        ("start_db_instance", {"DBInstanceIdentifier": DB}),
        ("delete_db_instance", {"DBInstanceIdentifier": DB, "SkipFinalSnapshot": True}),
        ("add_role_to_db_instance", {"DBInstanceIdentifier": DB, "RoleArn": "arn:r", "FeatureName": "s3Import"}),
    ],
)
def test_it_refuses_every_change_while_not_available(aws: Any, operation: str, params: dict[str, Any]) -> None:
    aws.reboot_db_instance(DBInstanceIdentifier=DB)
    before = instance(aws)
    refused("InvalidDBInstanceState", getattr(aws, operation), **params)
    assert instance(aws) == before


@pytest.mark.parametrize("operation", ["reboot_db_instance", "describe_db_instances", "modify_db_instance"])
def test_it_says_which_instance_is_not_there(aws: Any, operation: str) -> None:
    call = getattr(aws, operation)
    assert "no-such" in refused("DBInstanceNotFound", call, DBInstanceIdentifier="no-such")
    with pytest.raises(aws.exceptions.DBInstanceNotFoundFault) as failure:
        call(DBInstanceIdentifier="no-such")
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_the_waiter_for_available_proves_nothing_before_the_status_changes(aws: Any) -> None:
    aws.get_waiter("db_instance_available").wait(DBInstanceIdentifier=DB, WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    aws.reboot_db_instance(DBInstanceIdentifier=DB)
    with pytest.raises(WaiterError):
        aws.get_waiter("db_instance_available").wait(
            DBInstanceIdentifier=DB, WaiterConfig={"Delay": 0, "MaxAttempts": 1}
        )


def test_a_change_of_class_waits_for_the_window_unless_applied_immediately(aws: Any, clock: Clock) -> None:
    aws.modify_db_instance(DBInstanceIdentifier=DB, DBInstanceClass="db.r6g.large")
    clock.passes(3600)
    now = instance(aws)
    assert (now["DBInstanceStatus"], now["DBInstanceClass"]) == ("available", "db.t4g.medium")
    assert now["PendingModifiedValues"] == {"DBInstanceClass": "db.r6g.large"}
    aws.modify_db_instance(DBInstanceIdentifier=DB, ApplyImmediately=True)
    assert instance(aws)["DBInstanceStatus"] == "modifying"
    clock.passes(120)
    now = instance(aws)
    assert (now["DBInstanceStatus"], now["DBInstanceClass"]) == ("available", "db.r6g.large")
    assert now.get("PendingModifiedValues", {}) == {}


def test_deletion_protection_changes_at_once_and_guards_the_instance(aws: Any, clock: Clock) -> None:
    gone = {"DBInstanceIdentifier": DB, "SkipFinalSnapshot": True}
    assert "deletion protection" in refused("InvalidParameterCombination", aws.delete_db_instance, **gone)
    aws.modify_db_instance(DBInstanceIdentifier=DB, DeletionProtection=False)
    assert aws.delete_db_instance(**gone)["DBInstance"]["DBInstanceStatus"] == "deleting"
    clock.passes(150)
    refused("DBInstanceNotFound", aws.describe_db_instances, DBInstanceIdentifier=DB)


def test_a_final_snapshot_outlives_its_instance(aws: Any, clock: Clock) -> None:
    name = single_az(aws, clock)
    refused("InvalidParameterCombination", aws.delete_db_instance, DBInstanceIdentifier=name)
    aws.delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier="the-last")
    clock.passes(150)
    assert aws.describe_db_snapshots(DBSnapshotIdentifier="the-last")["DBSnapshots"][0]["Status"] == "available"
    refused("DBInstanceNotFound", aws.describe_db_instances, DBInstanceIdentifier=name)


def test_a_new_parameter_group_waits_for_a_reboot(aws: Any, clock: Clock) -> None:
    aws.modify_db_instance(DBInstanceIdentifier=DB, DBParameterGroupName="default.postgres16")
    assert instance(aws)["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    aws.reboot_db_instance(DBInstanceIdentifier=DB)
    clock.passes(60)
    assert instance(aws)["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    refused("DBParameterGroupNotFound", aws.modify_db_instance, DBInstanceIdentifier=DB, DBParameterGroupName="no-such")


def test_a_rename_moves_the_endpoint(aws: Any, clock: Clock) -> None:
    before = instance(aws)
    aws.modify_db_instance(DBInstanceIdentifier=DB, NewDBInstanceIdentifier="nova-db-old", ApplyImmediately=True)
    assert instance(aws)["DBInstanceStatus"] == "renaming"
    clock.passes(120)
    refused("DBInstanceNotFound", aws.describe_db_instances, DBInstanceIdentifier=DB)
    now = instance(aws, "nova-db-old")
    assert now["DbiResourceId"] == before["DbiResourceId"]
    assert now["Endpoint"]["Address"].startswith("nova-db-old.")


def test_a_stopped_instance_starts_again(aws: Any, clock: Clock) -> None:
    aws.stop_db_instance(DBInstanceIdentifier=DB)
    clock.passes(60)
    assert instance(aws)["DBInstanceStatus"] == "stopped"
    refused("InvalidDBInstanceState", aws.reboot_db_instance, DBInstanceIdentifier=DB)
    aws.start_db_instance(DBInstanceIdentifier=DB)
    clock.passes(90)
    assert instance(aws)["DBInstanceStatus"] == "available"


def test_events_show_the_last_hour_unless_asked(aws: Any, clock: Clock) -> None:
    start = clock.now
    aws.reboot_db_instance(DBInstanceIdentifier=DB)
    clock.passes(60)
    clock.passes(20 * 3700)
    assert messages(aws) == []
    assert len(messages(aws, Duration=120)) == 2
    assert len(messages(aws, StartTime=start)) == 2
    assert len(messages(aws, StartTime=start, EndTime=start)) == 0
    assert messages(aws, Duration=120, EventCategories=["failover"]) == []


def test_events_carry_no_id_and_name_their_source(aws: Any, clock: Clock) -> None:
    aws.reboot_db_instance(DBInstanceIdentifier=DB)
    clock.passes(60)
    event = aws.describe_events(SourceIdentifier=DB, SourceType="db-instance")["Events"][0]
    assert set(event) == {"SourceIdentifier", "SourceType", "Message", "EventCategories", "Date", "SourceArn"}
    assert event["SourceArn"] == instance(aws)["DBInstanceArn"]
    assert event["EventCategories"] == ["availability"]
    refused("InvalidParameterCombination", aws.describe_events, SourceIdentifier=DB)
    refused("InvalidParameterValue", aws.describe_events, MaxRecords=5)
    refused("InvalidParameterValue", aws.describe_events, Duration=60 * 24 * 15)


def test_events_come_in_pages(aws: Any, clock: Clock) -> None:
    for _ in range(12):
        aws.reboot_db_instance(DBInstanceIdentifier=DB)
        clock.passes(60)
    pages = list(aws.get_paginator("describe_events").paginate(PaginationConfig={"PageSize": 20}))
    assert [len(page["Events"]) for page in pages] == [20, 4]
    dates = [event["Date"] for page in pages for event in page["Events"]]
    assert dates == sorted(dates)


def test_a_cluster_moves_its_writer(aws: Any, clock: Clock) -> None:
    aws.create_db_cluster(DBClusterIdentifier="nova-cluster", Engine="postgres", DBClusterInstanceClass="db.m6gd.large")
    clock.passes(240)
    aws.failover_db_cluster(DBClusterIdentifier="nova-cluster", TargetDBInstanceIdentifier="nova-cluster-instance-3")
    refused("InvalidDBClusterStateFault", aws.failover_db_cluster, DBClusterIdentifier="nova-cluster")
    clock.passes(35)
    cluster = aws.describe_db_clusters(DBClusterIdentifier="nova-cluster")["DBClusters"][0]
    writers = [member["DBInstanceIdentifier"] for member in cluster["DBClusterMembers"] if member["IsClusterWriter"]]
    assert (cluster["Status"], writers) == ("available", ["nova-cluster-instance-3"])
    said = messages(aws, "nova-cluster", "db-cluster", EventCategories=["failover"])
    assert said == [
        "Started cross AZ failover to DB instance: nova-cluster-instance-3",
        "Completed failover to DB instance: nova-cluster-instance-3",
    ]
    refused(
        "InvalidDBInstanceState",
        aws.failover_db_cluster,
        DBClusterIdentifier="nova-cluster",
        TargetDBInstanceIdentifier="nova-cluster-instance-3",
    )


def test_an_instance_is_not_a_cluster(aws: Any) -> None:
    refused("DBClusterNotFoundFault", aws.failover_db_cluster, DBClusterIdentifier=DB)


def test_the_proxy_is_there_and_follows_its_instance(aws: Any) -> None:
    proxy = aws.describe_db_proxies()["DBProxies"][0]
    assert (proxy["Status"], proxy["EngineFamily"]) == ("available", "POSTGRESQL")
    aws.reboot_db_instance(DBInstanceIdentifier=DB)
    target = aws.describe_db_proxy_targets(DBProxyName=proxy["DBProxyName"])["Targets"][0]
    assert target["TargetHealth"]["State"] == "UNAVAILABLE"
    refused("DBProxyNotFoundFault", aws.describe_db_proxies, DBProxyName="no-such")


def test_tags_can_be_changed(aws: Any) -> None:
    arn = instance(aws)["DBInstanceArn"]
    aws.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "owner", "Value": "ops"}])
    aws.remove_tags_from_resource(ResourceName=arn, TagKeys=["service"])
    tags = aws.list_tags_for_resource(ResourceName=arn)["TagList"]
    assert {tag["Key"] for tag in tags} == {"owner", "environment"}


def test_other_regions_do_not_know_nova(address: str, clock: Clock) -> None:
    assert client("rds", address, "us-east-1").describe_db_instances()["DBInstances"] == []
