"""Periodic work of backups. Delivered twice or late it does nothing twice: rows say what is due."""

from celery import shared_task
from django.utils import timezone

from backups import collect, drills
from novaops import environment as declared


@shared_task(expires=10)
def collect_due() -> None:
    """Read the backups of every environment that is due."""
    for environment in declared.environments().values():
        collect.collect(environment)


@shared_task(expires=600)
def start_drills() -> None:
    """Rehearse a restore in every environment where that is due."""
    for environment in declared.environments().values():
        drills.start_due(environment, timezone.now())
