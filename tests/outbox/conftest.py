"""Messages in the outbox, and a worker that need not wait."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from novaops import environment as environments
from novaops.outbox import delivery
from novaops.outbox.models import Message
from novaops.outbox.posting import Content, PagerDutyChange, PageUpdate, SlackText, post

SLACK = SlackText(text="INC-1 was declared")
PAGE = PageUpdate(name="API is slow", status="investigating", text="We look into it.", services={"api": "major_outage"})
NOTE = PagerDutyChange(incident="PD1", what="note", text="INC-1 was declared")
CONTENTS = {"slack": SLACK, "statuspage": PAGE, "pagerduty": NOTE}


def later(message: Message, seconds: float) -> None:
    """Let time pass for a message: everything about it happened that much earlier, and it is due."""
    gone = timedelta(seconds=seconds)
    Message.objects.filter(pk=message.pk).update(
        next_at=F("next_at") - gone - timedelta(hours=1),
        signed_at=F("signed_at") - gone,
        expires_at=F("expires_at") - gone,
        lease_until=F("lease_until") - gone,
    )
    message.refresh_from_db()


def carry_on(message: Message, *, most: int = 20, step_s: float = 5) -> Message:
    """Deliver as a worker does, until it is over; `step_s` pass between two looks."""
    for _ in range(most):
        delivery.deliver(message.pk)
        message.refresh_from_db()
        if message.over:
            break
        later(message, step_s)
    return message


@pytest.fixture
def queued(db: None) -> Callable[..., Message]:
    """Queues a message: `queued(SLACK)`."""

    def queue(content: Content = SLACK, key: str = "one", **more: Any) -> Message:
        return post(content, environment=environments.default(), key=key, subject="INC-1", lane="incident:1", **more)

    return queue
