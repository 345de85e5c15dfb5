"""The Celery application. Celery is a doorbell here: rows in PostgreSQL say what is to be done."""

import logging
import os
import threading
import time
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_ready
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novaops.settings")

logger = logging.getLogger(__name__)

# A pulse that waited longer tells nothing that its absence has not told.
PULSE_WORTH_S = 60

app = Celery("novaops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def _sweep_from_every_worker(**_: Any) -> None:
    """Every worker rings for the sweeps and feels each queue by itself, so that a dead beat stops no run."""
    threading.Thread(target=_keep_ringing, name="sweep", daemon=True).start()


@worker_process_init.connect
def _prepare_clients(**_: Any) -> None:
    """Let the first click find the clients made; in the background, as the pool waits only seconds for a process."""
    threading.Thread(target=_make_clients, name="clients", daemon=True).start()


def _make_clients() -> None:
    from novaops import environment as environments
    from novaops.cloud import aws

    for environment in environments.environments().values():
        aws.prepare(environment, ("ecs", "rds", "elasticache"))


def _keep_ringing() -> None:
    from django.conf import settings

    every_s: int = settings.SWEEP_EVERY_S
    while True:
        try:
            for sweep in ("novaops.runbook.tasks.sweep", "novaops.outbox.tasks.sweep"):
                app.send_task(sweep, expires=every_s)
            for queue in ("runs", "watch"):
                sent = {"queue": queue, "sent_at": time.time()}
                app.send_task("dashboard.tasks.pulse", kwargs=sent, queue=queue, expires=PULSE_WORTH_S)
        except (OperationalError, OSError) as failure:
            logger.warning("The broker did not take the sweep: %s", type(failure).__name__)
        time.sleep(every_s)
