"""RDS and ElastiCache in the running sandbox: what was called is recorded, and a restart forgets nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.conftest import Simulated, eventually
from tests.sandbox.simulated_aws import refused

DB = "nova-db"
CACHE = "nova-cache"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """A sandbox that keeps a journal."""
    directory = tmp_path_factory.mktemp("kept")
    simulated = Simulated(directory, "--factor", "60", "--journal", str(directory / "world.jsonl"))
    simulated.start()
    yield simulated
    simulated.child.stop()


@pytest.fixture
def nova(kept: Simulated) -> Simulated:
    kept.control("reset", {"seed": 1})
    return kept


def instance(rds: Any) -> Any:
    return rds.describe_db_instances(DBInstanceIdentifier=DB)["DBInstances"][0]


def test_it_records_what_was_asked_as_the_api_spells_it(nova: Simulated) -> None:
    rds = nova.client("rds")
    elasticache = nova.client("elasticache")
    rds.reboot_db_instance(DBInstanceIdentifier=DB, ForceFailover=True)
    refused("InvalidDBInstanceState", rds.reboot_db_instance, DBInstanceIdentifier=DB)
    elasticache.test_failover(ReplicationGroupId=CACHE, NodeGroupId="0001")
    called = [(effect["operation"], effect["params"], effect["outcome"]) for effect in nova.control("effects")]
    assert called == [
        ("RebootDBInstance", {"DBInstanceIdentifier": DB, "ForceFailover": True}, "ok"),
        ("RebootDBInstance", {"DBInstanceIdentifier": DB}, "InvalidDBInstanceState"),
        ("TestFailover", {"ReplicationGroupId": CACHE, "NodeGroupId": "0001"}, "ok"),
    ]


def test_it_says_what_it_does_not_simulate_with_an_error_document(nova: Simulated) -> None:
    rds = nova.client("rds")
    elasticache = nova.client("elasticache")
    refused("InvalidAction", rds.describe_db_log_files, DBInstanceIdentifier=DB)
    refused("InvalidAction", rds.create_db_instance_read_replica, DBInstanceIdentifier="replica")
    refused("InvalidAction", elasticache.increase_replica_count, ReplicationGroupId=CACHE, ApplyImmediately=True)


def test_it_runs_the_other_variant_of_the_api_server_too(nova: Simulated) -> None:
    fleet = nova.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
    ssm = nova.client("ssm")
    sent = ssm.send_command(
        DocumentName="AWS-RunShellScript",
        InstanceIds=[fleet[0]["InstanceId"]],
        Parameters={"commands": ["sudo systemctl restart nova-api"]},
    )
    ask = {"CommandId": sent["Command"]["CommandId"]}
    eventually(lambda: ssm.list_commands(**ask)["Commands"][0]["Status"], lambda status: status == "Success")
    assert [effect["operation"] for effect in nova.control("effects")] == ["SendCommand"]


def test_a_restart_in_the_middle_of_a_failover_goes_on_with_it(nova: Simulated) -> None:
    rds = nova.client("rds")
    elasticache = nova.client("elasticache")
    before = instance(rds)
    rds.reboot_db_instance(DBInstanceIdentifier=DB, ForceFailover=True)
    elasticache.create_cache_parameter_group(
        CacheParameterGroupName="nova-redis7", CacheParameterGroupFamily="redis7", Description="Nova"
    )
    nova.child.stop()
    nova.start()
    after = eventually(lambda: instance(rds), lambda now: now["DBInstanceStatus"] == "available")
    assert after["DbiResourceId"] == before["DbiResourceId"]
    assert after["AvailabilityZone"] == before["SecondaryAvailabilityZone"]
    assert elasticache.describe_cache_parameters(CacheParameterGroupName="nova-redis7")["Parameters"]


def test_the_world_that_starts_over_is_calm_and_the_same(nova: Simulated) -> None:
    rds = nova.client("rds")
    before = instance(rds)
    rds.modify_db_instance(DBInstanceIdentifier=DB, DeletionProtection=False)
    nova.control("reset", {"seed": 1})
    after = instance(rds)
    changing = {"InstanceCreateTime", "LatestRestorableTime"}
    assert {name for name in after if after[name] != before[name]} <= changing
    assert after["DeletionProtection"] is True
