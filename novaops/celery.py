"""The Celery application. Celery is a doorbell here: rows in PostgreSQL say what is to be done."""

import logging
import os
import threading
import time
from typing import Any

from celery import Celery
from celery.signals import worker_ready
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novaops.settings")

logger = logging.getLogger(__name__)

app = Celery("novaops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def _sweep_from_every_worker(**_: Any) -> None:
    """Every worker rings for the sweep by itself, so that a dead beat stops no run."""
    threading.Thread(target=_keep_ringing, name="sweep", daemon=True).start()


def _keep_ringing() -> None:
    from django.conf import settings

    every_s: int = settings.SWEEP_EVERY_S
    while True:
        try:
            app.send_task("novaops.runbook.tasks.sweep", expires=every_s)
        except (OperationalError, OSError) as failure:
            logger.warning("The broker did not take the sweep: %s", type(failure).__name__)
        time.sleep(every_s)
