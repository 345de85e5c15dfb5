"""Puts a message into the outbox, in the transaction of whatever it tells; a worker sends it after the commit."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from novaops.environment import Environment, ServiceKind
from novaops.outbox import doorbell
from novaops.outbox.models import KEPT_FOR, Message
from novaops.outbox.records import announce

PageStatus = Literal["investigating", "identified", "monitoring", "resolved"]
ComponentState = Literal["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"]


class NotConfigured(Exception):
    """The environment does not declare that system; the message is a sentence that people may read."""


@dataclass(frozen=True, kw_only=True)
class SlackText:
    """A plain text for a channel, the environment's own where `channel` is empty.

    `reply`: in the thread of the lane's first message. `edit`: in place of that message's text.
    """

    text: str
    channel: str = ""
    reply: bool = False
    edit: bool = False

    def __str__(self) -> str:
        return f"Slack: {self.text}"

    def fields(self, environment: Environment, lane: str) -> dict[str, Any]:
        """What the row says of it. Raises NotConfigured."""
        if environment.slack is None:
            raise NotConfigured(f"Slack is not configured: nova.toml has no [environments.{environment.name}.slack].")
        return {
            "kind": Message.Kind.SLACK,
            "operation": "edit" if self.edit else "reply" if self.reply else "post",
            "address": self.channel or environment.contacts.slack_channel,
            "payload": {"text": self.text},
        }


@dataclass(frozen=True, kw_only=True)
class PageUpdate:
    """What the status page says: the lane's first one opens an incident there, the later ones update it."""

    name: str
    status: PageStatus
    text: str
    services: dict[ServiceKind, ComponentState] = field(default_factory=dict)
    notify: bool = True

    def __str__(self) -> str:
        return f"Status page: {self.status}. {self.text}"

    def fields(self, environment: Environment, lane: str) -> dict[str, Any]:
        """What the row says of it. Raises NotConfigured."""
        page = environment.status_page
        if page is None:
            place = f"[environments.{environment.name}.status_page]"
            raise NotConfigured(f"The status page is not configured: nova.toml has no {place}.")
        first = not Message.objects.filter(lane=lane, kind=Message.Kind.STATUSPAGE).exclude(state="failed").exists()
        components = {page.components[kind]: state for kind, state in self.services.items() if kind in page.components}
        return {
            "kind": Message.Kind.STATUSPAGE,
            "operation": "create" if first else "update",
            "address": environment.contacts.status_page_id or "",
            "payload": {
                "name": self.name,
                "status": self.status,
                "body": self.text,
                "components": components,
                "notify": self.notify,
            },
        }


@dataclass(frozen=True, kw_only=True)
class PagerDutyChange:
    """Acknowledges or resolves an incident at PagerDuty, named by its id there, or writes a note on it."""

    incident: str
    what: Literal["acknowledge", "resolve", "note"]
    text: str = ""

    def __str__(self) -> str:
        return f"PagerDuty: {self.what} {self.incident}"

    def fields(self, environment: Environment, lane: str) -> dict[str, Any]:
        """What the row says of it. Raises NotConfigured."""
        if environment.pagerduty is None:
            place = f"[environments.{environment.name}.pagerduty]"
            raise NotConfigured(f"PagerDuty is not configured: nova.toml has no {place}.")
        return {
            "kind": Message.Kind.PAGERDUTY,
            "operation": self.what,
            "address": self.incident,
            "payload": {"text": self.text},
        }


Content = SlackText | PageUpdate | PagerDutyChange


def post(
    content: Content,
    *,
    environment: Environment,
    key: str,
    subject: str,
    lane: str = "",
    by: User | None = None,
    incident: int | None = None,
    keep_for: timedelta = KEPT_FOR,
) -> Message:
    """Queue a message in the current transaction, once for each `key`: asked again, the first one comes back.

    `subject` says in a few words what it is about. Messages of one `lane` are sent in order. After `keep_for`, what
    could not be delivered is given up. Raises NotConfigured where the environment does not declare the system.
    """
    defaults = {
        **content.fields(environment, lane),
        "environment": environment.name,
        "lane": lane,
        "subject": " ".join(subject.split())[:200],
        "incident": incident,
        "requested_by": by,
        "expires_at": timezone.now() + keep_for,
    }
    with transaction.atomic():
        message, created = Message.objects.get_or_create(idempotency_key=key, defaults=defaults)
        if created:
            announce(message)
            transaction.on_commit(partial(doorbell.ring, message.pk))
    return message
