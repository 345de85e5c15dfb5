"""The embedded servers start, keep what they were given, and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import textwrap

import psutil
import psycopg
import pytest

from novaops.sandbox import addresses
from novaops.sandbox.child import Child, StartError, until
from novaops.sandbox.embedded import SOCKET_NAME, SOCKET_PATH_LIMIT, PostgreSQL, Redis


def test_it_keeps_its_data_over_a_restart(open_path):
    for round_number in (1, 2):
        server = PostgreSQL("pg", open_path / "pg", open_path / "pg.log")
        server.start()
        try:
            server.wait_ready()
            server.ensure_database("kept", "owner")
            with psycopg.connect(server.dsn("kept", "owner")) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS rounds (number int)")
                connection.execute("INSERT INTO rounds VALUES (%s)", [round_number])
                assert connection.execute("SELECT count(*) FROM rounds").fetchone() == (round_number,)
        finally:
            server.stop()
    assert not server.sockets.exists()


def test_it_listens_on_no_tcp_port(open_path):
    server = PostgreSQL("pg", open_path / "pg", open_path / "pg.log", durable=False)
    server.start()
    try:
        server.wait_ready()
        assert server.child.process is not None
        sockets = psutil.Process(server.child.process.pid).net_connections(kind="tcp")
    finally:
        server.stop()
    assert sockets == []


def test_a_deep_directory_gets_a_short_socket(open_path):
    deep = open_path / ("d" * 120) / "pg"
    server = PostgreSQL("pg", deep, open_path / "pg.log", durable=False)
    server.start()
    try:
        server.wait_ready()
        assert len(str(server.sockets / SOCKET_NAME)) < SOCKET_PATH_LIMIT
    finally:
        server.stop()
    assert not server.sockets.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has directories that its unprivileged account cannot reach")
def test_root_may_keep_its_clone_where_nobody_else_can_look(open_path):
    closed = open_path / "closed"
    closed.mkdir(mode=0o700)
    server = PostgreSQL("pg", closed / "pg", open_path / "pg.log", durable=False)
    server.start()
    try:
        server.wait_ready()
        assert not server.data.is_relative_to(closed)
    finally:
        server.stop()
        server.remove()
    assert not server.data.parent.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has directories that its unprivileged account cannot reach")
def test_data_that_became_unreachable_are_not_silently_made_anew(open_path):
    parent = open_path / "parent"
    parent.mkdir(mode=0o711)
    server = PostgreSQL("pg", parent / "pg", open_path / "pg.log", durable=False)
    server.create_data()
    parent.chmod(0o700)
    with pytest.raises(StartError, match=r"cannot reach .* any more"):
        PostgreSQL("pg", parent / "pg", open_path / "pg.log", durable=False)


def test_redis_forgets_the_least_used_when_its_memory_is_full(open_path):
    import redis

    server = Redis(
        "redis", open_path / "r", open_path / "r.log", port=addresses.free_port(), maxmemory="2mb", durable=False
    )
    server.start()
    try:
        server.wait_ready()
        with redis.Redis.from_url(server.url()) as client:
            for number in range(300):
                client.set(f"session:{number}", b"x" * 10_000, ex=600)
            assert client.info("stats")["evicted_keys"] > 0
    finally:
        server.stop()


def test_a_child_that_ends_at_its_start_says_why(tmp_path):
    child = Child("broken", [sys.executable, "-c", "raise SystemExit('no such disk')"], tmp_path / "log", lambda: False)
    child.start()
    with pytest.raises(StartError, match=r"ended at its start(.|\n)*no such disk"):
        child.wait_ready()


def test_a_child_that_ignores_the_signal_is_killed_with_its_own_children(tmp_path):
    script = """
        import signal, subprocess, sys
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]).pid, flush=True)
        signal.pause()
    """
    log = tmp_path / "log"
    child = Child(
        "stubborn", [sys.executable, "-c", textwrap.dedent(script)], log, lambda: log.read_text().endswith("\n")
    )
    child.start()
    child.wait_ready()
    grandchild = int(log.read_text())
    child.stop(timeout_s=0.2)
    assert until(lambda: ended(grandchild), 5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent is gone")
def test_a_child_does_not_outlive_a_parent_killed_with_9(tmp_path):
    script = f"""
        import signal, sys
        from pathlib import Path
        from novaops.sandbox.child import Child
        sleeper = [sys.executable, "-c", "import signal; signal.pause()"]
        child = Child("sleeper", sleeper, Path({str(tmp_path / "log")!r}))
        child.start()
        print(child.process.pid, flush=True)
        signal.pause()
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        sleeper = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert until(lambda: ended(sleeper), 5)


def test_a_used_port_is_not_free():
    with socket.socket() as taken:
        taken.bind((addresses.HOST, 0))
        taken.listen()
        assert not addresses.is_free(taken.getsockname()[1])


def test_a_reserved_port_is_given_once_and_can_be_listened_on():
    port = addresses.free_port()
    assert not addresses._reserve(port)
    with socket.create_server((addresses.HOST, port)) as server:
        socket.create_connection(server.getsockname(), timeout=2).close()


def ended(pid: int) -> bool:
    """Whether that process is gone, or a zombie that only waits for the init process."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
