"""Periodic work of the dashboard. Delivered twice or late it does nothing twice: rows say what is due."""

import time
from typing import Any

from celery import shared_task
from django.utils import timezone

from dashboard import collect, enquiries, partitions, pulses, rollups, telling, vitals, watchdog
from dashboard.hooks import inbox, polling, subscriptions
from novaops import environment as declared
from novaops import retention


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


@shared_task(expires=5)
def watch_rounds() -> None:
    """Notice environments of which no rounds come any more."""
    for environment in declared.environments().values():
        watchdog.watch(environment, timezone.now())


@shared_task(expires=5)
def read_inbox() -> None:
    """Read what outside systems told since the last time, and tell AWS of the topics that were accepted."""
    inbox.drain()
    subscriptions.confirm_accepted()


@shared_task(expires=30)
def tell_unmuted() -> None:
    """Tell people of alerts that still fire after their silence or maintenance ended."""
    telling.catch_up()


@shared_task(expires=5)
def poll_queues() -> None:
    """Take what waits in every environment's queue of alarms."""
    for environment in declared.environments().values():
        polling.poll(environment)


@shared_task(expires=600)
def forget_old() -> None:
    """Forget the rows of every app that are older than is kept."""
    retention.forget_old(timezone.now())


@shared_task(expires=60)
def roll_up() -> None:
    """Bring the rollups in step with the samples that came since."""
    rollups.roll_up(timezone.now())


@shared_task(expires=60)
def answer(enquiry_id: str) -> None:
    """Carry on with what a page asked; a query that runs at CloudWatch is looked at again."""
    again_s = enquiries.carry_on(enquiry_id)
    if again_s:
        answer.apply_async((enquiry_id,), countdown=again_s)


@shared_task
def keep_samples() -> None:
    """Make partitions ahead, drop what is too old."""
    now = timezone.now()
    for table in partitions.TABLES:
        partitions.make_ahead(table, now)
    for table in partitions.TABLES:
        partitions.try_drop_old(table, now)


@shared_task(bind=True)
def pulse(self: Any, *, beat: bool = False, queue: str = "", sent_at: float | None = None) -> None:
    """Write down that this worker lives, and what the message proves: that beat does, how long its queue waits."""
    delay_s = None if sent_at is None else max(time.time() - sent_at, 0.0)
    pulses.felt(worker=self.request.hostname, beat=beat, queue=queue, delay_s=delay_s)


@shared_task(expires=30)
def tell_watchman() -> None:
    """Tell whoever watches NovaOps from outside that all of it lives; silence tells that it does not."""
    vitals.tell_watchman()
