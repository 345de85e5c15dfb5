"""From the click that confirms a restart to AWS receiving the call: bars 100 ms (median) and 300 ms (p95)."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from novaops import environment as environments
from novaops.runbook import planning
from novaops.runbook.models import Run
from novaops.runbook.registry import actions
from novaops.runbook.states import FINISHED
from novaops.sandbox import seed
from novaops.sandbox.child import until
from tests.servers import Nova
from tests.workers import worker

RUNS = 50
CLI_RUNS = 10
AS_DEPLOYED = {"NOVAOPS_RUN_LEASE_S": "40", "NOVAOPS_SWEEP_EVERY_S": "5"}
# A rollout of minutes is over at once: it is not what is measured.
FACTOR = 2000
CLI = ("aws", "ecs", "update-service", "--cluster", "nova", "--service", "nova-api", "--force-new-deployment")


def figures(nova: Nova) -> Iterator[str]:
    """One line for NovaOps, one for the AWS CLI where there is one."""
    nova.start_database()
    nova.start_redis()
    seed.nova_database(os.environ["NOVA_DATABASE_URL"], fresh=True)
    nova.start_server()
    nova.reset(factor=FACTOR)
    celery = worker(nova.directory / "worker.log")
    celery.environment = {**(celery.environment or {}), **AS_DEPLOYED}
    celery.start()
    try:
        celery.wait_ready(60)
        yield _line("confirm -> AWS call received", _clicks(nova)) + " (bars 100 and 300 ms)"
    finally:
        celery.stop()
    if shutil.which(CLI[0]):
        yield _line("the same by the AWS CLI as a process", [_by_cli(nova) for _ in range(CLI_RUNS)])
    else:
        yield "the same by the AWS CLI: there is no aws on PATH"


def _clicks(nova: Nova) -> list[float]:
    user = User.objects.create_user("clicker")
    user.groups.add(Group.objects.get(name="responder"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    # The first click of a worker's life finds cold caches.
    return [_click(nova, client, user) for _ in range(RUNS + 2)][2:]


def _click(nova: Nova, client: Client, user: User) -> float:
    """One confirmed restart; milliseconds from the POST to its call at AWS."""
    place = environments.default()
    plan = planning.draft(actions["restart-api"](), place, place.target("api"), {}, by=user, incident=None)
    planning.resolve(plan)
    known = len(nova.effects())
    began = time.time()
    answer = client.post(reverse("runbook:confirm", args=[plan.pk]), {"reason": "a measurement"})
    if answer.status_code != 302:
        raise RuntimeError(answer.content.decode())
    run = Run.objects.get(plan=plan)
    if not until(lambda: Run.objects.filter(pk=run.pk, status__in=FINISHED).exists(), 60):
        raise RuntimeError(f"run {run.pk} did not end")
    return _received_ms(nova.effects()[known], began)


def _by_cli(nova: Nova) -> float:
    known = len(nova._control("effects"))
    began = time.time()
    subprocess.run(CLI, check=True, capture_output=True, cwd=Path("/"))
    return _received_ms(nova._control("effects")[known], began)


def _received_ms(effect: dict[str, Any], began: float) -> float:
    return (datetime.fromisoformat(effect["at"]).timestamp() - began) * 1000


def _line(name: str, took_ms: list[float]) -> str:
    cuts = quantiles(took_ms, n=20)
    return f"{name}: p50 {cuts[9]:.0f} ms, p95 {cuts[18]:.0f} ms"
