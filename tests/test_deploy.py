"""What deploy/ holds works: the database's roles, and the commands of image and units."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from novaops.sandbox.embedded import PostgreSQL

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
WORK = """
from django.db import transaction
from dashboard.tasks import keep_samples
from novaops.audit import chain
with transaction.atomic():
    chain.record("try", by=None, subject="deploy")
keep_samples()
print(chain.verify().entries)
"""


def script(name: str) -> str:
    return (DEPLOY / "database" / name).read_text(encoding="utf-8")


def unit(name: str) -> str:
    return (DEPLOY / "systemd" / f"novaops-{name}.service").read_text(encoding="utf-8").replace("\\\n", " ")


@pytest.fixture
def server(open_path: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL with NovaOps' database as docs/deploy.md makes it, migrated by its owner."""
    made = PostgreSQL("pg", open_path / "pg", open_path / "pg.log", durable=False)
    made.start()
    try:
        made.wait_ready()
        with psycopg.connect(made.dsn("postgres"), autocommit=True) as admin:
            admin.execute(script("roles.sql"))
            admin.execute("CREATE DATABASE novaops OWNER novaops_owner")
        manage(made, "novaops_owner", "migrate", "--verbosity", "0")
        with psycopg.connect(made.dsn("novaops", "novaops_owner")) as owner:
            owner.execute(script("grants.sql"))
        yield made
    finally:
        made.stop()


def manage(server: PostgreSQL, role: str, *arguments: str) -> str:
    environment = {**os.environ, "DATABASE_URL": server.dsn("novaops", role)}
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long(8)
def test_the_role_of_the_processes_can_work_and_cannot_touch_the_audit_chain(server: PostgreSQL) -> None:
    assert manage(server, "novaops", "shell", "--verbosity", "0", "-c", WORK) == "1\n"
    with psycopg.connect(server.dsn("novaops", "novaops"), autocommit=True) as app:
        for statement in (
            "UPDATE audit_entry SET actor = 'nobody'",
            "DELETE FROM audit_entry",
            "TRUNCATE audit_entry",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for table audit_entry"):
                app.execute(statement)
        for statement in ("ALTER TABLE audit_entry DISABLE TRIGGER ALL", "DROP TABLE audit_entry"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="must be owner of table audit_entry"):
                app.execute(statement)


def test_the_worker_takes_every_queue_that_tasks_are_sent_to() -> None:
    queues = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    taken = re.search(r"--queues (\S+)", unit("worker"))
    assert taken
    assert set(taken[1].split(",")) == queues


def test_a_worker_may_end_what_it_does_before_it_is_killed() -> None:
    stop, kill = (int(re.search(rf"{word}[ =](\d+)", unit("worker"))[1]) for word in ("--time", "TimeoutStopSec"))  # type: ignore[index]
    assert settings.CELERY_TASK_TIME_LIMIT < stop < kill
    assert "REMAP_SIGTERM=SIGQUIT" in unit("worker")


def test_the_image_has_every_package_and_what_pages_need() -> None:
    copied = set(re.findall(r"^COPY (\S+) ", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["packages"]
    assert {*packages, "templates", "static", "manage.py", "requirements/base.txt"} == copied
