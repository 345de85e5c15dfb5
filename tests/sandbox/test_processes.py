"""A task of the event processor is a real process: it follows the chain, hangs, and is replaced."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import psutil
import psycopg
import pytest
import requests

from novaops.sandbox import steering
from tests.sandbox.conftest import eventually
from tests.servers import Nova

pytestmark = pytest.mark.long(3)

PROCESSOR = {"cluster": "nova", "service": "nova-event-processor"}


def ledger() -> int:
    """The processor's stored cursor, 0 before it has one."""
    with psycopg.connect(os.environ["NOVA_DATABASE_URL"]) as connection:
        row = connection.execute("SELECT ledger FROM event_cursor").fetchone()
    return int(row[0]) if row else 0


def processors(nova: Nova) -> list[psutil.Process]:
    assert nova.server.process
    children = psutil.Process(nova.server.process.pid).children()
    return [child for child in children if "novaops.sandbox.processor" in child.cmdline()]


@pytest.fixture
def following(living_aws: Nova) -> Nova:
    """A sandbox whose processor is at work."""
    before = ledger()
    eventually(ledger, lambda now: now > before, timeout_s=30)
    return living_aws


def test_a_hung_processor_stands_still_until_its_service_is_restarted(following: Nova) -> None:
    steering.play(os.environ["NOVAOPS_SANDBOX_URL"], "event-lag")
    still = eventually(lambda: (ledger(), ledger_later()), lambda two: two[0] == two[1], timeout_s=30)[0]
    hung = processors(following)
    boto3.client("ecs").update_service(**PROCESSOR, forceNewDeployment=True)
    eventually(ledger, lambda now: now > still, timeout_s=30)
    assert [process.pid for process in processors(following)] != [process.pid for process in hung]
    assert steering.state(os.environ["NOVAOPS_SANDBOX_URL"])["state"] == "ended"


def ledger_later() -> int:
    """The cursor after the chain has closed some more ledgers."""
    before = newest()
    eventually(newest, lambda now: now >= before + 4)
    return ledger()


def newest() -> int:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "getLatestLedger"}
    return int(requests.post(os.environ["NOVA_RPC_URL"], json=asked, timeout=5).json()["result"]["sequence"])


def test_a_processor_that_dies_is_a_stopped_task_and_another_starts(following: Nova) -> None:
    ecs = boto3.client("ecs")
    processors(following)[0].kill()

    def stopped() -> list[dict[str, Any]]:
        arns = ecs.list_tasks(cluster="nova", serviceName="nova-event-processor", desiredStatus="STOPPED")["taskArns"]
        return list(ecs.describe_tasks(cluster="nova", tasks=arns)["tasks"]) if arns else []

    task = eventually(stopped, bool)[0]
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["containers"][0]["exitCode"] == 137
    before = ledger()
    eventually(ledger, lambda now: now > before, timeout_s=30)
    assert len(processors(following)) == 1


def connect_until_full(opened: list[psycopg.Connection[Any]]) -> None:
    while len(opened) < 500:
        opened.append(psycopg.connect(os.environ["NOVA_DATABASE_URL"]))


def test_connections_in_the_metrics_are_the_real_ones(following: Nova) -> None:
    cloudwatch = boto3.client("cloudwatch")
    metric = {
        "Namespace": "AWS/RDS",
        "MetricName": "DatabaseConnections",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "nova-db"}],
    }
    asked = {"Id": "one", "MetricStat": {"Metric": metric, "Period": 1, "Stat": "Average"}}

    def connections() -> float:
        now = datetime.now(UTC)
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[asked], StartTime=now - timedelta(seconds=20), EndTime=now + timedelta(seconds=5)
        )
        return float(next(iter(answer["MetricDataResults"][0]["Values"]), 0))

    opened = [psycopg.connect(os.environ["NOVA_DATABASE_URL"]) for _ in range(25)]
    try:
        eventually(connections, lambda value: value >= 25, timeout_s=20)
        with pytest.raises(psycopg.OperationalError):
            connect_until_full(opened)
        # No slot is left for whoever counts: CloudWatch still tells that it is full.
        eventually(connections, lambda value: value >= 57, timeout_s=20)
    finally:
        for connection in opened:
            connection.close()
    eventually(connections, lambda value: value < 25, timeout_s=20)


def test_a_reboot_of_the_database_cuts_its_connections(following: Nova) -> None:
    with psycopg.connect(os.environ["NOVA_DATABASE_URL"], autocommit=True) as connection:
        boto3.client("rds").reboot_db_instance(DBInstanceIdentifier="nova-db")

        def cut() -> bool:
            try:
                connection.execute("SELECT 1")
            except psycopg.OperationalError:
                return True
            return False

        eventually(cut, bool)
