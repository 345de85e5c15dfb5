"""The real servers behind the tests: one PostgreSQL and Redis a run, and for each worker its own simulated Nova.

A pytest plugin (`-p tests.servers` in pyproject.toml), because the addresses must be in the environment before Django
reads its settings. The controller starts what all share; xdist's workers find it through the environment.
"""

import json
import os
import secrets
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from novaops.sandbox import addresses
from novaops.sandbox.child import Child, StartError, last_lines, until
from novaops.sandbox.embedded import PostgreSQL, Redis
from novaops.sandbox.processor import APPLICATION
from novaops.sandbox.world import DEFAULT_FACTOR
from tests.forks import ForkedChild

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY_VARIABLE = "NOVAOPS_TEST_DIRECTORY"
# How far metrics reach back after a reset.
PAST_S = 300
TEMPLATE_WITHIN_S = 120
# What a developer's shell may carry from elsewhere must not reach the tests.
FOREIGN = ("AWS_", "NOVAOPS_PROXY_COUNT", "NOVAOPS_SECRET_KEY_FALLBACKS", "NOVAOPS_SWEEP_EVERY_S")


def worker_name() -> str:
    """xdist's name of this process (`gw0`); `gw0` too where the tests run in one process."""
    return os.environ.get("PYTEST_XDIST_WORKER", "gw0")


def migrated() -> Path:
    """The file that is there once the database `novaops` is migrated: the template of every worker's own."""
    return Path(os.environ[DIRECTORY_VARIABLE]) / "migrated"


def wait_for_template() -> None:
    """Wait for the migrations, which run while the workers start. Raises StartError where they fail."""
    if not until(migrated().exists, TEMPLATE_WITHIN_S):
        raise StartError(f"The migrations did not end:\n{last_lines(migrated().with_suffix('.log'))}")


class Shared:
    """The PostgreSQL and the Redis that all workers of a run share, and the directory of everything."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="novaops-tests-"))
        self.directory.chmod(0o711)
        os.environ[DIRECTORY_VARIABLE] = str(self.directory)
        self.postgresql = PostgreSQL(
            "postgresql",
            self.directory / "pg",
            self.directory / "postgresql.log",
            max_connections=200,
            durable=False,
        )
        port = addresses.free_port()
        self.redis = Redis("redis", self.directory / "redis", self.directory / "redis.log", port=port, durable=False)
        migrate = ["sh", "-c", '"$0" manage.py migrate --verbosity 0 && touch "$1"', sys.executable, str(migrated())]
        self.migration = Child("migration", migrate, migrated().with_suffix(".log"), cwd=ROOT)

    def start(self) -> None:
        self.redis.start()
        self.postgresql.start()
        self.postgresql.wait_ready()
        self.postgresql.ensure_database("novaops", "novaops", may_create_databases=True)
        with psycopg.connect(self.postgresql.dsn("postgres"), autocommit=True) as connection:
            connection.execute("GRANT SET ON PARAMETER session_replication_role TO novaops")
        self.redis.wait_ready()
        os.environ["DATABASE_URL"] = self.postgresql.dsn("novaops", "novaops")
        os.environ["NOVAOPS_TEST_REDIS_PORT"] = str(self.redis.port)
        os.environ["NOVAOPS_SECRET_KEY"] = secrets.token_urlsafe(48)

    def stop(self) -> None:
        self.postgresql.stop()
        self.postgresql.remove()
        self.redis.stop()
        self.migration.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class Nova:
    """A worker's own simulated Nova: its database, its Redis and the simulated AWS, started when a test asks."""

    def __init__(self) -> None:
        self.directory = Path(os.environ[DIRECTORY_VARIABLE]) / worker_name()
        self.directory.mkdir(mode=0o711, exist_ok=True)
        self.number = int(worker_name().removeprefix("gw"))
        self.port = addresses.free_port()
        self.postgresql = PostgreSQL(
            "nova-postgresql",
            self.directory / "pg",
            self.directory / "nova-postgresql.log",
            max_connections=60,
            durable=False,
        )
        self.redis = Redis(
            "nova-redis",
            self.directory / "redis",
            self.directory / "nova-redis.log",
            port=addresses.free_port(),
            maxmemory="8mb",
            durable=False,
        )
        arguments = ["--port", str(self.port), "--journal", str(self.directory / "world.jsonl")]
        self.server = ForkedChild(
            name="simulated AWS",
            argv=[sys.executable, "-m", "novaops.sandbox.serve", *arguments],
            log=self.directory / "aws.log",
            ready=lambda: addresses.responds(f"http://{addresses.HOST}:{self.port}{addresses.CONTROL_PREFIX}/state"),
            cwd=ROOT,
        )

    def set_environment(self) -> None:
        """Point every address in the environment to this worker's servers."""
        kept = addresses.inherited()
        for name in [name for name in os.environ if name.startswith(FOREIGN)]:
            del os.environ[name]
        os.environ.update(kept)
        postmortems = self.directory / "postmortems"
        postmortems.mkdir(parents=True, exist_ok=True)
        os.environ.update(addresses.outside(self.port))
        os.environ.update(
            addresses.own(
                ROOT,
                database_url=os.environ["DATABASE_URL"],
                redis_url=f"redis://127.0.0.1:{os.environ['NOVAOPS_TEST_REDIS_PORT']}/{self.number}",
                secret_key=os.environ["NOVAOPS_SECRET_KEY"],
                url="http://localhost",
            )
        )
        os.environ["NOVA_DATABASE_URL"] = self.postgresql.dsn("nova", "nova")
        os.environ["NOVA_RESTORED_DATABASE_URL"] = self.postgresql.dsn("{instance}", "nova")
        os.environ["NOVA_REDIS_URL"] = self.redis.url()
        os.environ["NOVAOPS_POSTMORTEM_ROOT"] = str(postmortems)
        os.environ["NOVAOPS_STATIC_ROOT"] = str(self.directory / "static")

    def start_database(self) -> None:
        if self.postgresql.child.alive:
            return
        self.postgresql.start()
        self.postgresql.wait_ready()
        self.postgresql.ensure_database("nova", "nova", may_create_databases=True)

    def start_redis(self) -> None:
        if not self.redis.child.alive:
            self.redis.start()
            self.redis.wait_ready()

    def start_server(self) -> None:
        if not self.server.alive:
            self.server.start()
            self.server.wait_ready()

    def reset(self, *, factor: float = DEFAULT_FACTOR, processes: bool = False, **more: float) -> None:
        """Put the simulated world back to the seeded calm one; `factor` is how much faster its time runs from now.

        What most tests do not look at costs most: the event processor is a process only where `processes` says so,
        and metrics reach back a few minutes. As a process it begins near the newest ledger; otherwise Nova's database
        says that it has just read that one.
        """
        if processes:
            self._forget_events()
        self._control("reset", {"factor": factor, "processes": processes, "past_s": PAST_S, **more})
        if not processes and self.postgresql.child.alive:
            self._stand_at_the_newest_ledger()

    def _stand_at_the_newest_ledger(self) -> None:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "getLatestLedger"}
        ledger = self._asked(os.environ["NOVA_RPC_URL"], asked)["result"]["sequence"]
        with psycopg.connect(os.environ["NOVA_DATABASE_URL"]) as connection:
            connection.execute(
                "INSERT INTO event_cursor (ledger, closed_at) VALUES (%s, now()) ON CONFLICT (id) DO UPDATE "
                "SET ledger = excluded.ledger, closed_at = excluded.closed_at, updated_at = now()",
                [ledger],
            )

    def _forget_events(self) -> None:
        self._control("reset", {"processes": False, "past_s": 0})
        with psycopg.connect(os.environ["NOVA_DATABASE_URL"], autocommit=True) as connection:
            still = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %s)"
            if not until(lambda: connection.execute(still, [APPLICATION]).fetchone() == (False,), 10):
                raise StartError("An event processor of before goes on writing.")
            connection.execute("TRUNCATE contract_events, event_cursor, event_ranges")

    def faults(self, rules: list[dict[str, Any]]) -> None:
        """Let AWS have these troubles from now on."""
        self._control("faults", rules)

    def scenario(self, name: str) -> None:
        """Let something happen to Nova."""
        self._control("scenario", {"name": name})

    def effects(self) -> list[dict[str, Any]]:
        """The changing calls that runs made since the last reset of the simulated AWS, oldest first."""
        return [effect for effect in self._control("effects") if "novaops/run-" in effect["user_agent"]]

    def told(self, sink: str) -> list[dict[str, Any]]:
        """What NovaOps told Slack (`slack`), `statuspage` or `pagerduty` since the last reset, oldest first."""
        return [message for message in self._sinks("captured")["captured"] if message["sink"] == sink]

    def troubles(self, *troubles: dict[str, Any]) -> None:
        """Let these befall the next messages (novaops/sandbox/sink_troubles.py)."""
        self._sinks("troubles", {"troubles": list(troubles)})

    def broken_sinks(self, **errors: str | int) -> None:
        """Let sinks answer with these errors until the next call."""
        self._sinks("errors", errors)

    def _sinks(self, path: str, body: Any = None) -> Any:
        return self._asked(f"http://{addresses.HOST}:{self.port}{addresses.SINKS_PREFIX}/{path}", body)

    def _control(self, path: str, body: Any = None) -> Any:
        return self._asked(f"{os.environ['NOVAOPS_SANDBOX_URL']}/{path}", body)

    @staticmethod
    def _asked(url: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.server.stop()
        self.redis.stop()
        self.postgresql.stop()
        self.postgresql.remove()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Hold the simulated AWS for as long as a test takes that does not use it: what asks it all the same waits long."""
    item.config.stash[nova_key].server.hold(still="sandbox" not in getattr(item, "fixturenames", ()))
    return (yield)


shared_key = pytest.StashKey[Shared]()
nova_key = pytest.StashKey[Nova]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Start what all tests share and set the environment, before pytest-django reads the settings."""
    if DIRECTORY_VARIABLE not in os.environ:
        early_config.stash[shared_key] = Shared()
        early_config.add_cleanup(early_config.stash[shared_key].stop)
        early_config.stash[shared_key].start()
    early_config.stash[nova_key] = Nova()
    early_config.add_cleanup(early_config.stash[nova_key].stop)
    early_config.stash[nova_key].set_environment()
    if shared_key in early_config.stash:
        early_config.stash[shared_key].migration.start()
    yield
