"""The storm's own servers: PostgreSQL, which keeps what it committed though it is killed, Redis, and the AWS."""

import json
import os
import secrets
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from novaops.sandbox import addresses
from novaops.sandbox.child import Child
from novaops.sandbox.embedded import PostgreSQL, Redis
from tests.servers import ROOT

LEASE_S = 2


class Place:
    """Everything a storm needs, in one directory that goes with it."""

    def __init__(self, seed: int) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="novaops-chaos-"))
        self.directory.chmod(0o711)
        self.marks = self.directory / "marks"
        self.marks.mkdir()
        self.seed = seed
        self.postgresql = PostgreSQL("postgresql", self.directory / "pg", self.directory / "postgresql.log")
        self.redis = Redis(
            "redis", self.directory / "redis", self.directory / "redis.log", port=addresses.free_port(), durable=False
        )
        self.port = addresses.free_port()
        self.dsn = self.postgresql.dsn("novaops", "novaops")
        self.aws = self.child("aws", "tests.chaos.aws", str(self.port), self.dsn)
        self.aws.ready = lambda: addresses.responds(f"http://{addresses.HOST}:{self.port}/_chaos/ledger")
        self.workers: list[Child] = []

    def child(self, name: str, module: str, *arguments: str) -> Child:
        """A Python process of ours that inherits the environment."""
        argv = [sys.executable, "-m", module, *arguments]
        return Child(name=name, argv=argv, log=self.directory / f"{name}.log", cwd=ROOT)

    def start(self) -> None:
        """Start the servers and set the environment for Django; the workers come later."""
        self.redis.start()
        self.postgresql.start()
        self.postgresql.wait_ready()
        self.postgresql.ensure_database("novaops", "novaops", may_create_databases=True)
        self.redis.wait_ready()
        for name in [name for name in os.environ if name.startswith(("AWS_", "NOVAOPS_"))]:
            del os.environ[name]
        os.environ.update(addresses.outside(self.port))
        os.environ.update(
            addresses.own(
                ROOT,
                database_url=self.dsn,
                redis_url=self.redis.url(),
                secret_key=secrets.token_urlsafe(48),
                url="http://localhost",
            )
        )
        os.environ |= {
            "NOVAOPS_POSTMORTEM_ROOT": str(self.directory),
            "NOVAOPS_RUN_LEASE_S": str(LEASE_S),
            "NOVAOPS_SWEEP_EVERY_S": "1",
            "NOVAOPS_LOG_LEVEL": "WARNING",
            "CHAOS_DIRECTORY": str(self.marks),
            "CHAOS_SEED": str(self.seed),
            "NOVA_DATABASE_URL": "",
            "NOVA_REDIS_URL": "",
            "DJANGO_SETTINGS_MODULE": "novaops.settings",
        }
        self.aws.start()
        self.aws.wait_ready()

    def keep(self) -> None:
        """Copy the logs to where `stop` does not remove them."""
        shutil.copytree(self.directory, f"{self.directory}-kept", ignore=shutil.ignore_patterns("pg", "redis"))

    def stop(self) -> None:
        """End everything and leave nothing behind."""
        for one in (*self.workers, self.aws):
            one.stop(2)
        self.redis.stop()
        self.postgresql.stop()
        self.postgresql.remove()
        shutil.rmtree(self.directory, ignore_errors=True)

    def expect(self, target: str, effect: tuple[str, ...], read: tuple[str, ...]) -> None:
        """What AWS does with the next calls about the target."""
        self._ask("expect", {"target": target, "effect": effect, "read": read})

    def ledger(self) -> list[dict[str, Any]]:
        """Every changing call that AWS received, oldest first."""
        return list(self._ask("ledger"))

    def _ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{addresses.HOST}:{self.port}/_chaos/{path}", data=data)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
