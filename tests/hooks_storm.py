"""A site of its own under many signed webhooks: its PostgreSQL keeps what it says, and can be restarted meanwhile."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil
import psycopg

from novaops.sandbox import addresses
from novaops.sandbox.child import Child
from novaops.sandbox.embedded import PostgreSQL
from tests.dashboard.hooks import post
from tests.servers import ROOT

KEPT = (202, 409)
AGAIN = (503, 429, 500)
PATIENCE_S = 60
Signed = tuple[bytes, dict[str, str]]


@dataclass
class Site:
    """NovaOps' web processes as `make demo` runs them, on a durable PostgreSQL."""

    directory: Path
    database: PostgreSQL
    web: Child
    port: int

    def restart_database(self) -> None:
        """What every connection notices."""
        self.database.stop()
        self.database.start()
        self.database.wait_ready()

    def cpu_s(self) -> float:
        """The CPU time that web and database have used so far: what a busy machine does not falsify."""
        roots = [psutil.Process(child.process.pid) for child in (self.web, self.database.child) if child.process]
        family = [one for root in roots for one in (root, *root.children(recursive=True))]
        return sum(sum(one.cpu_times()[:2]) for one in family)

    def kept(self) -> set[str]:
        """The names of the messages that are rows."""
        with psycopg.connect(self.database.dsn("novaops", "novaops")) as connection:
            return {row[0] for row in connection.execute("SELECT ident FROM dashboard_delivery").fetchall()}


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """Started, migrated and listening; stopped and removed afterwards."""
    database = PostgreSQL("hooks-postgresql", directory / "pg", directory / "postgresql.log", durable=True)
    port = addresses.free_port()
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "novaops.settings", "NOVAOPS_LOG_LEVEL": "ERROR"}
    size = ["--worker-class", "gthread", "--workers", "2", "--threads", "8", "--preload", "--keep-alive", "30"]
    web = Child(
        name="web",
        argv=[sys.executable, "-m", "gunicorn", "novaops.wsgi", "-b", f"{addresses.HOST}:{port}", *size],
        log=directory / "web.log",
        ready=lambda: addresses.responds(f"http://{addresses.HOST}:{port}/healthz"),
        environment=environment,
        cwd=ROOT,
    )
    try:
        database.start()
        database.wait_ready()
        database.ensure_database("novaops", "novaops")
        environment["DATABASE_URL"] = database.dsn("novaops", "novaops")
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True, capture_output=True)
        web.start()
        web.wait_ready(60)
        yield Site(directory, database, web, port)
    finally:
        web.stop()
        database.stop()
        database.remove()


@dataclass
class Storm:
    """Senders that tell again until they hear that a message is kept or refused."""

    port: int
    answers: Counter[int] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def blow(self, messages: list[Signed], senders: int, meanwhile: Callable[[], None] | None = None) -> float:
        """Send all of them; how many seconds that took."""
        shares = [messages[number::senders] for number in range(senders)]
        threads = [threading.Thread(target=self._send_all, args=(share,)) for share in shares]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        if meanwhile:
            meanwhile()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    def _send_all(self, messages: list[Signed]) -> None:
        connection = HTTPConnection(addresses.HOST, self.port, timeout=10)
        for body, headers in messages:
            self._send(connection, body, headers)
        connection.close()

    def _send(self, connection: HTTPConnection, body: bytes, headers: dict[str, str]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            began = time.perf_counter()
            try:
                connection.request("POST", "/hooks/synthetics", body, {"Host": "localhost", **headers})
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException):
                connection.close()
                status = 0
            else:
                status = answer.status
            with self._lock:
                self.answers[status] += 1
                self.took_ms.append((time.perf_counter() - began) * 1000)
            if status and status not in AGAIN:
                return
            time.sleep(0.1)
        with self._lock:
            self.lost.append(headers["X-Nova-Delivery"])


def signed(count: int, name: str = "good") -> list[Signed]:
    """Messages of a program of ours, each signed as it should be."""
    body = json.dumps({"name": "checkout", "state": "firing", "service": "api", "sentence": "x" * 200}).encode()
    return [(body, post.sender_headers(body, ident=f"{name}-{number:06d}")) for number in range(count)]


def forged(count: int) -> list[Signed]:
    """The same by somebody who does not have the secret, or has an old message."""
    body = b'{"name": "checkout", "state": "firing", "service": "api"}'
    wrong = [(body, post.sender_headers(body, ident=f"wrong-{n:06d}", key=b"guessed it wrongly")) for n in range(count)]
    old = [(body, post.sender_headers(body, ident=f"old-{n:08d}", at=time.time() - 400)) for n in range(count)]
    return [*wrong, *old]
