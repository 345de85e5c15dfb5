"""`make demo`: NovaOps and the simulated Nova it watches, started in order under one supervisor."""

import os
import sys
from pathlib import Path

from novaops.sandbox import addresses, seed
from novaops.sandbox.child import Child, StartError
from novaops.sandbox.embedded import PostgreSQL, Redis
from novaops.sandbox.place import Place
from novaops.sandbox.supervisor import Interrupted, Supervisor, interruptible, say

ROOT = Path(__file__).resolve().parents[2]
# NOVAOPS_VAR lets a second demo, as that of the tests, live beside the first.
VAR = Path(os.environ.get("NOVAOPS_VAR") or ROOT / "var").absolute()
DEFAULT_PORT = 8000
# Few connections, so that they can really be exhausted; little memory, so that keys are really evicted.
NOVA_MAX_CONNECTIONS = 60
NOVA_REDIS_MEMORY = "8mb"
PREPARED_WITHIN_S = 120


def port_of_the_page() -> int:
    """PORT, where one is set. Raises StartError where it is no port, or not free."""
    text = os.environ.get("PORT", "") or str(DEFAULT_PORT)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise StartError(f"PORT={text} is not a port: use a number from 1 to 65535, as in make demo PORT=8001.")
    port = int(text)
    if not addresses.is_free(port):
        raise StartError(
            f"Port {port} is in use: choose another one, as in make demo PORT={port + 1 if port < 65535 else 8000}."
        )
    return port


def from_outside(name: str) -> str:
    """The caller's own database or Redis for NovaOps, where one is set; not what an earlier demo.env says."""
    return "" if "NOVAOPS_SANDBOX_URL" in os.environ else os.environ.get(name, "")


class Demo:
    """Everything that runs while a demo runs."""

    def __init__(self, place: Place, port: int) -> None:
        self.place, self.port = place, port
        ports = place.ports()
        self.sandbox_port = ports["sandbox"]
        self.supervisor = Supervisor(place.path("pids.json"))
        self.own_database = PostgreSQL("postgresql", place.path("postgresql"), place.log("postgresql"))
        self.nova_database = PostgreSQL(
            "nova-postgresql",
            place.path("nova-postgresql"),
            place.log("nova-postgresql"),
            max_connections=NOVA_MAX_CONNECTIONS,
        )
        self.own_redis = Redis("redis", place.path("redis"), place.log("redis"), port=ports["redis"])
        self.nova_redis = Redis(
            "nova-redis",
            place.path("nova-redis"),
            place.log("nova-redis"),
            port=ports["nova_redis"],
            maxmemory=NOVA_REDIS_MEMORY,
        )
        self.database_url = from_outside("DATABASE_URL") or self.own_database.dsn("novaops", "novaops")
        self.redis_url = from_outside("REDIS_URL") or self.own_redis.url()
        self.url = f"http://{addresses.HOST}:{port}"
        self.variables = self._variables()

    def _variables(self) -> dict[str, str]:
        return {
            **addresses.outside(self.sandbox_port),
            **addresses.own(
                ROOT,
                database_url=self.database_url,
                redis_url=self.redis_url,
                secret_key=self.place.secret_key(),
                url=self.url,
            ),
            "NOVA_DATABASE_URL": self.nova_database.dsn("nova", "nova"),
            "NOVA_RESTORED_DATABASE_URL": self.nova_database.dsn("{instance}", "nova"),
            "NOVA_REDIS_URL": self.nova_redis.url(),
            "NOVAOPS_STATIC_ROOT": str(self.place.path("static")),
            "NOVAOPS_POSTMORTEM_ROOT": os.environ.get("NOVAOPS_POSTMORTEM_ROOT") or str(self.place.path("nova")),
        }

    def _servers(self) -> list[PostgreSQL | Redis]:
        own_database = [] if from_outside("DATABASE_URL") else [self.own_database]
        own_redis = [] if from_outside("REDIS_URL") else [self.own_redis]
        return [*own_database, self.nova_database, *own_redis, self.nova_redis]

    def _child(self, name: str, *argv: str, url: str = "") -> Child:
        environment = {**addresses.inherited(), **self.variables, "PYTHONUNBUFFERED": "1", "REMAP_SIGTERM": "SIGQUIT"}
        ready = (lambda: addresses.responds(url)) if url else (lambda: True)
        command = [sys.executable, "-m", *argv]
        return Child(name, command, self.place.log(name), ready=ready, environment=environment, cwd=ROOT)

    def start(self) -> None:
        """Start everything in order, each as soon as what it needs is there. Raises StartError."""
        self.supervisor.end_leftovers()
        for name in ("nova", "beat"):
            self.place.path(name).mkdir(exist_ok=True)
        self._start_servers()
        self.place.write_environment(self.variables)
        simulated = self._child("sandbox", *self._simulated(), url=f"{self.variables['NOVAOPS_SANDBOX_URL']}/state")
        self.supervisor.start(simulated, client=True)
        self._prepare()
        simulated.wait_ready(60)
        web = self._child("web", *self._web(), url=f"{self.url}/healthz")
        self.supervisor.start(web, client=True)
        web.wait_ready(60)
        self.supervisor.start(self._child("worker", *self._worker()), client=True)
        self.supervisor.start(self._child("beat", *self._beat()), client=True)

    def _start_servers(self) -> None:
        servers = self._servers()
        for server in servers:
            server.prepare()
            self.supervisor.start(server.child)
        for server in servers:
            server.wait_ready()
        if self.own_database in servers:
            self.own_database.ensure_database("novaops", "novaops")
        self.nova_database.ensure_database("nova", "nova", may_create_databases=True)
        seed.nova_database(self.nova_database.dsn("nova", "nova"))

    def _simulated(self) -> list[str]:
        journal = str(self.place.path("world.jsonl"))
        return ["novaops.sandbox.serve", "--port", str(self.sandbox_port), "--journal", journal]

    def _prepare(self) -> None:
        child = self._child("prepare", "novaops.sandbox.prepare")
        child.start()
        try:
            child.finish(PREPARED_WITHIN_S)
        finally:
            child.stop()

    def _web(self) -> list[str]:
        bind = f"{addresses.HOST}:{self.port}"
        size = ["--worker-class", "gthread", "--workers", "2", "--threads", "8", "--preload"]
        return ["gunicorn", "novaops.wsgi", "--bind", bind, *size, "--no-control-socket", "--graceful-timeout", "5"]

    def _worker(self) -> list[str]:
        calm = ["--without-gossip", "--without-mingle"]
        return ["celery", "-A", "novaops", "worker", "-Q", "runs,watch", "-c", "2", *calm, "--loglevel", "INFO"]

    def _beat(self) -> list[str]:
        return ["celery", "-A", "novaops", "beat", "--schedule", str(self.place.path("beat", "schedule")), "--pidfile="]

    def stop(self) -> None:
        """Stop everything, and remove the sockets' directories."""
        self.supervisor.stop()
        for server in (self.own_database, self.nova_database):
            server.stop()

    def remove(self) -> None:
        """Delete the data of everything."""
        for server in (self.own_database, self.nova_database):
            server.remove()
        self.place.clear()

    def greeting(self) -> str:
        """Where to go, how to sign in, what to try."""
        python, var = _shown(Path(sys.executable)), _shown(self.place.root)
        messages = f"http://{addresses.HOST}:{self.sandbox_port}{addresses.SINKS_PREFIX}/messages"
        return f"""
NovaOps is running and watches a simulated Nova.

  Open         {self.url}/
  Sign in      as {", ".join(seed.ACCOUNTS)}; the password of each is {seed.PASSWORD}
  Make it ill  {self.url}/sandbox/ or {python} manage.py sandbox scenario high-cpu
  Look at AWS  set -a; . {var}/demo.env; set +a; aws ecs describe-services --cluster nova --services nova-api
  Messages     {messages} has what was told to Slack and others
  Logs         {var}/log/

Ctrl-C stops everything. make demo goes on with this data, make demo-reset starts over.
"""


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def run(*, reset: bool = False, var: Path = VAR) -> int:
    """Run a demo in the foreground until it is interrupted. Returns the exit status."""
    place = Place(var)
    demo: Demo | None = None
    try:
        interruptible()
        port = port_of_the_page()
        place.take()
        demo = Demo(place, port)
        if reset:
            demo.supervisor.end_leftovers()
            demo.remove()
            demo = Demo(place, port)
        say("Starting NovaOps and its simulated Nova ...")
        demo.start()
        say(demo.greeting())
        demo.supervisor.watch()
    except Interrupted:
        say("Stopping ...")
        return 0
    except StartError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    except OSError as failure:
        if not failure.filename or not Path(str(failure.filename)).is_relative_to(var):
            raise
        sys.stderr.write(f"{place.unusable(failure)}\n")
        return 1
    finally:
        if demo:
            demo.stop()
        place.release()
