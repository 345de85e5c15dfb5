"""Periodic work of the dashboard. Delivered twice or late it does nothing twice: rows say what is due."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from dashboard import collect, partitions, samples
from dashboard.models import Round
from novaops import environment as declared

KEEP_ROUNDS = timedelta(days=2)


@shared_task(expires=5)
def collect_due() -> None:
    """Ring for every environment; those that are not due say so."""
    for name in declared.environments():
        collect_environment.delay(name)


@shared_task(expires=5)
def collect_environment(name: str) -> None:
    """One round over an environment, where it is due."""
    environment = declared.get(name)
    if environment:
        collect.collect(environment)


@shared_task
def keep_samples() -> None:
    """Make partitions ahead, roll samples up, drop what is too old."""
    now = timezone.now()
    for table in partitions.TABLES:
        partitions.make_ahead(table, now)
    samples.roll_up(now)
    for table in partitions.TABLES:
        partitions.drop_old(table, now)
    Round.objects.filter(started_at__lt=now - KEEP_ROUNDS).delete()
