"""`manage.py demo` as a newcomer meets it: one process to start, a page to sign in to, and nothing left behind."""

import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from novaops.access import adapter
from novaops.sandbox import addresses, seed
from novaops.sandbox.child import until
from novaops.sandbox.place import Place
from tests.servers import ROOT

START_S = 90
STOP_S = 40


class Newcomer:
    """Somebody at a terminal, with a `var/` of their own."""

    def __init__(self, directory: Path) -> None:
        self.var, self.port = directory / "var", addresses.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.terminal = directory / "terminal.log"
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOVA", "AWS_", "DJANGO_"))}
        for name in ("DATABASE_URL", "REDIS_URL"):
            kept.pop(name, None)
        return {**kept, "NOVAOPS_VAR": str(self.var), "PORT": str(self.port), "PYTHONUNBUFFERED": "1"}

    def types(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False, timeout=START_S
        )

    def starts_a_demo(self, *arguments: str) -> None:
        with self.terminal.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", *arguments],
                cwd=ROOT,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        assert until(lambda: self.process.poll() is not None or "Ctrl-C stops" in self.reads(), START_S)
        assert self.process.poll() is None, self.reads()

    def reads(self) -> str:
        return self.terminal.read_text()

    def sends(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(STOP_S)

    def signs_in(self, username: str) -> str:
        """The address of the page they get to."""
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        login = f"{self.url}/accounts/login/"
        with browser.open(login, timeout=10) as page:
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
        assert token
        form = {"csrfmiddlewaretoken": token[1], "login": username, "password": seed.PASSWORD}
        with browser.open(login, data=urllib.parse.urlencode(form).encode(), timeout=10) as page:
            return page.url

    def left_behind(self) -> list[str]:
        """The processes that belong to this demo, whoever started them."""
        found = []
        for process in psutil.process_iter():
            try:
                words = [*process.cmdline(), *process.environ().values()]
            except psutil.Error:
                continue
            if process.pid != os.getpid() and any(str(self.var) in word for word in words):
                found.append(" ".join(process.cmdline()))
        return found


@pytest.fixture
def newcomer(open_path: Path) -> Iterator[Newcomer]:
    somebody = Newcomer(open_path)
    yield somebody
    if somebody.process and somebody.process.poll() is None:
        somebody.sends(signal.SIGTERM)


@pytest.mark.long(40)
def test_a_demo_starts_goes_on_where_it_was_killed_and_leaves_nothing_behind(newcomer):
    newcomer.starts_a_demo()
    assert f"{newcomer.url}/" in newcomer.reads()
    assert newcomer.signs_in("commander") == f"{newcomer.url}/"
    assert "high-cpu" in newcomer.types("sandbox", "scenario", "high-cpu").stdout
    variables = Place(newcomer.var).read_environment()
    with psycopg.connect(variables["NOVA_DATABASE_URL"]) as database:
        database.execute("CREATE TABLE kept_by_the_newcomer (id int)")
        assert database.execute("SHOW max_connections").fetchone() == ("60",)

    newcomer.sends(signal.SIGKILL)
    assert until(lambda: not newcomer.left_behind(), STOP_S), newcomer.left_behind()

    newcomer.starts_a_demo()
    assert newcomer.signs_in("responder") == f"{newcomer.url}/"
    assert newcomer.types("sandbox", "state").stdout.startswith("high-cpu")
    with psycopg.connect(Place(newcomer.var).read_environment()["NOVA_DATABASE_URL"]) as database:
        assert database.execute("SELECT to_regclass('kept_by_the_newcomer') IS NOT NULL").fetchone() == (True,)
    assert newcomer.types("demo", "--reset").stderr.startswith(f"Port {newcomer.port} is in use")

    assert newcomer.sends(signal.SIGINT) == 0
    assert newcomer.left_behind() == []
    assert [path for path in newcomer.var.rglob("*") if path.is_socket()] == []


def test_a_port_in_use_gets_one_sentence(newcomer):
    with socket.create_server((addresses.HOST, newcomer.port)):
        said = newcomer.types("demo")
    assert said.returncode == 1
    assert (
        said.stderr
        == f"Port {newcomer.port} is in use: choose another one, as in make demo PORT={newcomer.port + 1}.\n"
    )


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_a_port_that_is_none_gets_one_sentence(newcomer, port):
    newcomer.port = port
    said = newcomer.types("demo")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert f"PORT={port} is not a port" in said.stderr


def test_a_broken_var_gets_one_sentence(newcomer):
    newcomer.var.write_text("")
    said = newcomer.types("demo")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert f"{newcomer.var} cannot be used" in said.stderr


def test_without_a_demo_the_sandbox_says_how_to_start_one(newcomer):
    said = newcomer.types("sandbox", "state")
    assert (said.returncode, said.stderr) == (1, "There is no demo to talk to: start one with make demo.\n")


def test_the_published_password_is_the_one_that_access_refuses_elsewhere():
    assert seed.PASSWORD == adapter.SANDBOX_PASSWORD
