"""The supervisor restarts what ends, and ends what an earlier one left behind."""

import json
import sys
from pathlib import Path

import psutil
import pytest

from novaops.sandbox.child import Child, until
from novaops.sandbox.supervisor import Supervisor

WAIT_S = 10
PAUSE = [sys.executable, "-c", "import signal; signal.pause()"]


def sleeper(directory: Path, name: str = "sleeper") -> Child:
    return Child(name, PAUSE, directory / f"{name}.log")


def pid_of(child: Child) -> int:
    assert child.process is not None
    return child.process.pid


def test_it_restarts_a_child_that_ended_and_says_so(tmp_path, capsys):
    supervisor, child = Supervisor(tmp_path / "pids.json"), sleeper(tmp_path)
    supervisor.start(child)
    first = pid_of(child)
    psutil.Process(first).kill()

    def restarted() -> bool:
        supervisor.look()
        return child.alive and pid_of(child) != first

    assert until(restarted, WAIT_S)
    assert "sleeper ended (-9), it is started again in 1 s" in capsys.readouterr().out
    assert json.loads((tmp_path / "pids.json").read_text())[0]["pid"] == pid_of(child)
    supervisor.stop()


def test_it_stops_clients_before_what_they_use(tmp_path):
    order = tmp_path / "order"
    script = """
import signal, sys
def stop(*_):
    with open(sys.argv[1], "a") as order: order.write(sys.argv[2] + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
signal.pause()
"""
    supervisor = Supervisor(tmp_path / "pids.json")
    for name, client in (("web", True), ("database", False), ("worker", True)):
        log = tmp_path / f"{name}.log"
        argv = [sys.executable, "-c", script, str(order), name]
        child = Child(name, argv, log, lambda log=log: "ready" in log.read_text())
        supervisor.start(child, client=client)
        child.wait_ready()
    supervisor.stop()
    assert order.read_text().split()[-1] == "database"
    assert len(order.read_text().split()) == 3
    assert not (tmp_path / "pids.json").exists()


def test_it_ends_what_an_earlier_supervisor_left(tmp_path):
    earlier, child = Supervisor(tmp_path / "pids.json"), sleeper(tmp_path)
    earlier.start(child)
    Supervisor(tmp_path / "pids.json").end_leftovers()
    assert until(lambda: not child.alive, WAIT_S)


def test_it_leaves_a_stranger_alone_that_got_the_same_number(tmp_path):
    child = sleeper(tmp_path)
    child.start()
    (tmp_path / "pids.json").write_text(json.dumps([{"name": "worker", "pid": pid_of(child), "created": 12345.0}]))
    Supervisor(tmp_path / "pids.json").end_leftovers()
    assert child.alive
    child.stop()


@pytest.mark.parametrize("broken", ["", "{", "[1]", '[{"pid": "x"}]'])
def test_a_broken_memory_is_no_obstacle(tmp_path, broken):
    (tmp_path / "pids.json").write_text(broken)
    Supervisor(tmp_path / "pids.json").end_leftovers()
    assert not (tmp_path / "pids.json").exists()
