"""The worker's side of the outbox: each task looks at rows and makes one step."""

from typing import Any

from celery import shared_task
from django.db.models import Q
from django.db.models.functions import Now

from novaops.outbox import delivery, doorbell
from novaops.outbox.models import Message

SWEPT_AT_ONCE = 200


@shared_task
def deliver(*, message_id: int, **_from_newer_senders: Any) -> None:
    """Make one attempt to deliver. Delivered twice it does nothing twice: the lease decides."""
    after_s = delivery.deliver(message_id)
    if after_s is not None:
        doorbell.ring(message_id, after_s=after_s)
    else:
        _ring_for_the_next(message_id)


@shared_task
def sweep(**_from_newer_senders: Any) -> None:
    """Ring for every message that is due and free."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    due = Message.objects.filter(free, state__in=["queued", "sending"], next_at__lte=Now())
    for message_id in due.order_by("id").values_list("pk", flat=True)[:SWEPT_AT_ONCE]:
        doorbell.ring(message_id)


def _ring_for_the_next(message_id: int) -> None:
    """What waited in the lane behind a message that is over is due now."""
    over = Message.objects.get(pk=message_id)
    if not over.lane or not over.over:
        return
    waiting = Message.objects.filter(lane=over.lane, state=Message.State.QUEUED, pk__gt=over.pk)
    if following := waiting.order_by("pk").first():
        doorbell.ring(following.pk)
