"""RDS and ElastiCache in the running sandbox: what was called is recorded, and a restart forgets nothing."""

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from novaops.sandbox import addresses
from novaops.sandbox.child import Child, until
from tests.sandbox.simulated_aws import client, refused
from tests.servers import PORTS_PER_WORKER, ROOT, worker_name

DB = "nova-db"
CACHE = "nova-cache"
OWN = {"NOVA_DATABASE_URL", "NOVA_REDIS_URL", "NOVA_RPC_URL", "NOVA_RPC_BACKUP_URL"}


class Served:
    """A sandbox process of its own that keeps a journal and has no database behind it."""

    def __init__(self, directory: Path) -> None:
        first = 20000 + int(worker_name().removeprefix("gw")) * PORTS_PER_WORKER
        port = addresses.free_port(first, first + PORTS_PER_WORKER - 1)
        options = ["--port", str(port), "--journal", str(directory / "world.jsonl"), "--factor", "60"]
        self.url = f"http://{addresses.HOST}:{port}"
        self.child = Child(
            name="simulated AWS",
            argv=[sys.executable, "-m", "novaops.sandbox.serve", *options],
            log=directory / "serve.log",
            ready=lambda: addresses.answers(port),
            environment={name: value for name, value in os.environ.items() if name not in OWN},
            cwd=ROOT,
        )

    def start(self) -> None:
        self.child.start()
        self.child.wait_ready()

    def control(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/_sandbox/{path}", data=data, timeout=10) as answer:
            return json.load(answer)

    @property
    def rds(self) -> Any:
        return client("rds", self.url)

    @property
    def elasticache(self) -> Any:
        return client("elasticache", self.url)

    def instance(self) -> Any:
        return self.rds.describe_db_instances(DBInstanceIdentifier=DB)["DBInstances"][0]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("served"))
    served.start()
    yield served
    served.child.stop()


@pytest.fixture
def nova(process: Served) -> Served:
    process.control("reset", {"seed": 1})
    return process


def test_it_records_what_was_asked_as_the_api_spells_it(nova: Served) -> None:
    nova.rds.reboot_db_instance(DBInstanceIdentifier=DB, ForceFailover=True)
    refused("InvalidDBInstanceState", nova.rds.reboot_db_instance, DBInstanceIdentifier=DB)
    nova.elasticache.test_failover(ReplicationGroupId=CACHE, NodeGroupId="0001")
    called = [(effect["operation"], effect["params"], effect["outcome"]) for effect in nova.control("effects")]
    assert called == [
        ("RebootDBInstance", {"DBInstanceIdentifier": DB, "ForceFailover": True}, "ok"),
        ("RebootDBInstance", {"DBInstanceIdentifier": DB}, "InvalidDBInstanceState"),
        ("TestFailover", {"ReplicationGroupId": CACHE, "NodeGroupId": "0001"}, "ok"),
    ]


def test_it_says_what_it_does_not_simulate_with_an_error_document(nova: Served) -> None:
    refused("InvalidAction", nova.rds.describe_db_log_files, DBInstanceIdentifier=DB)
    refused("InvalidAction", nova.rds.create_db_instance_read_replica, DBInstanceIdentifier="replica")
    refused("InvalidAction", nova.elasticache.increase_replica_count, ReplicationGroupId=CACHE, ApplyImmediately=True)


def test_a_restart_in_the_middle_of_a_failover_goes_on_with_it(nova: Served) -> None:
    before = nova.instance()
    nova.rds.reboot_db_instance(DBInstanceIdentifier=DB, ForceFailover=True)
    nova.elasticache.create_cache_parameter_group(
        CacheParameterGroupName="nova-redis7", CacheParameterGroupFamily="redis7", Description="Nova"
    )
    nova.child.stop()
    nova.start()
    assert until(lambda: nova.instance()["DBInstanceStatus"] == "available", 30)
    after = nova.instance()
    assert after["DbiResourceId"] == before["DbiResourceId"]
    assert after["AvailabilityZone"] == before["SecondaryAvailabilityZone"]
    assert nova.elasticache.describe_cache_parameters(CacheParameterGroupName="nova-redis7")["Parameters"]


def test_the_world_that_starts_over_is_calm_and_the_same(nova: Served) -> None:
    before = nova.instance()
    nova.rds.modify_db_instance(DBInstanceIdentifier=DB, DeletionProtection=False)
    nova.control("reset", {"seed": 1})
    after = nova.instance()
    changing = {"InstanceCreateTime", "LatestRestorableTime"}
    assert {name for name in after if after[name] != before[name]} <= changing
    assert after["DeletionProtection"] is True
