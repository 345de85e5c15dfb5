"""Importing this loads what the forks of the tests begin with: Celery, the application, the simulated AWS."""

import gc
import importlib

import django
from django.conf import settings
from django.db import connections
from django.utils.functional import empty

from novaops import environment as environments

LOADED = (
    "celery.__main__",
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "kombu.transport.redis",
    "moto.moto_server.werkzeug_app",
    "backups.tasks",
    "dashboard.tasks",
    "incidents.tasks",
    "novaops.outbox.tasks",
    "novaops.runbook.tasks",
    "novaops.urls",
    "novaops.sandbox.lifecycle",
    "stellar_sdk.client.requests_client",
)


def read_settings_anew() -> None:
    """Let a fork have the settings of its own environment variables."""
    importlib.reload(importlib.import_module(settings.SETTINGS_MODULE))
    settings._wrapped = empty
    connections.__dict__.clear()
    connections.__init__()  # type: ignore[misc]
    environments.environments.cache_clear()


django.setup()
for name in LOADED:
    importlib.import_module(name)
gc.freeze()
