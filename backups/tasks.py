"""Periodic work of backups. Delivered twice or late it does nothing twice: rows say what is due."""

from celery import shared_task
from django.utils import timezone

from backups import collect, drills
from novaops import environment as declared


@shared_task(expires=10)
def collect_due() -> None:
    """Ring for every environment; those that are not due say so."""
    for name in declared.environments():
        collect_environment.delay(name)


@shared_task(expires=10)
def collect_environment(name: str) -> None:
    """Read the backups of an environment, where they are due."""
    environment = declared.get(name)
    if environment:
        collect.collect(environment)


@shared_task(expires=600)
def start_drills() -> None:
    """Rehearse a restore in every environment where that is due."""
    for environment in declared.environments().values():
        drills.start_due(environment, timezone.now())
