"""The Celery application. Celery is a doorbell here: rows in PostgreSQL say what is to be done."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novaops.settings")

app = Celery("novaops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
