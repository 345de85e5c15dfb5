"""The simulated world goes on where it was left: also after -9 in the middle of a rollout. Same seed, same world."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import Simulated, eventually

API = {"cluster": "nova", "service": "nova-api"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[..., Simulated]]:
    """Starts a server with a journal; a second call starts another with the same."""
    started: list[Simulated] = []

    def start(*options: str, journal: str = "world.jsonl") -> Simulated:
        simulated = Simulated(tmp_path, "--journal", str(tmp_path / journal), *options)
        simulated.start()
        started.append(simulated)
        return simulated

    yield start
    for simulated in started:
        simulated.child.stop()


def kill(simulated: Simulated) -> None:
    assert simulated.child.process
    os.kill(simulated.child.process.pid, signal.SIGKILL)
    simulated.child.process.wait()


def service(simulated: Simulated) -> dict[str, Any]:
    found: dict[str, Any] = simulated.client("ecs").describe_services(cluster="nova", services=["nova-api"])[
        "services"
    ][0]
    return found


def restart(simulated: Simulated) -> str:
    answer = simulated.client("ecs").update_service(**API, forceNewDeployment=True)
    return str(answer["service"]["deployments"][0]["id"])


def test_a_rollout_survives_a_kill(server: Callable[..., Simulated]) -> None:
    first = server("--factor", "60")
    deployment = restart(first)
    rolling = eventually(lambda: service(first), lambda now: now["deployments"][0]["runningCount"] > 0)
    kill(first)
    second = server()
    primary = service(second)["deployments"][0]
    assert primary["id"] == deployment
    assert primary["createdAt"] == rolling["deployments"][0]["createdAt"]
    ended = eventually(lambda: service(second), lambda now: now["deployments"][0]["rolloutState"] == "COMPLETED")
    assert ended["deployments"][0]["id"] == deployment
    assert len(ended["deployments"]) == 1
    assert [one["operation"] for one in second.control("effects")] == ["UpdateService"]


def test_the_restored_world_has_the_same_events_and_tasks(server: Callable[..., Simulated]) -> None:
    first = server("--factor", "200")
    restart(first)
    before = eventually(lambda: service(first), lambda now: now["deployments"][0]["rolloutState"] == "COMPLETED")
    tasks = first.client("ecs").list_tasks(cluster="nova")["taskArns"]
    kill(first)
    second = server()
    assert service(second)["events"] == before["events"]
    assert second.client("ecs").list_tasks(cluster="nova")["taskArns"] == tasks


def test_a_scenario_goes_on(server: Callable[..., Simulated]) -> None:
    first = server()
    first.control("scenario", {"name": "high-cpu"})
    before = first.control("state")
    kill(first)
    assert server().control("state") == before


def test_a_fault_of_the_past_undoes_no_effect(server: Callable[..., Simulated]) -> None:
    first = server()
    first.control("faults", [{"service": "ecs", "operation": "UpdateService", "kind": "error-after"}])
    with pytest.raises(ClientError):
        restart(first)
    deployment = service(first)["deployments"][0]["id"]
    first.control("scenario", {"name": "aws-outage"})
    kill(first)
    second = server()
    second.control("scenario", {"name": "calm"})
    assert service(second)["deployments"][0]["id"] == deployment


def test_reading_and_telemetry_are_not_journalled(server: Callable[..., Simulated], tmp_path: Path) -> None:
    simulated = server()
    simulated.client("cloudwatch").put_metric_data(Namespace="T", MetricData=[{"MetricName": "m", "Value": 1}])
    service(simulated)
    assert [json.loads(line)["kind"] for line in (tmp_path / "world.jsonl").read_text().splitlines()] == ["world"]


def test_a_torn_last_line_is_dropped(server: Callable[..., Simulated], tmp_path: Path) -> None:
    first = server()
    deployment = restart(first)
    kill(first)
    journal = tmp_path / "world.jsonl"
    with journal.open("a") as lines:
        lines.write('{"at": "2026-11-2')
    second = server()
    assert service(second)["deployments"][0]["id"] == deployment
    restart(second)
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_a_reset_starts_the_journal_over(server: Callable[..., Simulated]) -> None:
    first = server()
    seeded = service(first)["deployments"][0]["id"]
    restart(first)
    first.control("reset", {})
    kill(first)
    assert service(server())["deployments"][0]["id"] == seeded


def test_no_signature_is_kept(server: Callable[..., Simulated], tmp_path: Path) -> None:
    restart(server())
    assert "Signature" not in (tmp_path / "world.jsonl").read_text()


def test_the_same_seed_and_calls_make_the_same_ids(simulated: Simulated) -> None:
    def story(seed: int) -> tuple[str, list[str]]:
        simulated.control("reset", {"seed": seed})
        return restart(simulated), simulated.client("ecs").list_tasks(cluster="nova")["taskArns"]

    assert story(7) == story(7)
    assert story(7)[0] != story(8)[0]


def test_it_ends_quickly_when_asked_to(server: Callable[..., Simulated]) -> None:
    simulated = server()
    assert simulated.child.process
    simulated.child.process.send_signal(signal.SIGTERM)
    assert simulated.child.process.wait(5) == 0
