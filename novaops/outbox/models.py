"""Messages to the world outside, one row for each, from what is to be said to what came of it."""

import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from novaops.retention import Kept

# A message that could not be delivered for so long is not news any more.
KEPT_FOR = timedelta(hours=6)


class Message(models.Model):
    """One message. Its token and its address at the provider are read from the environment when it is sent."""

    class Kind(models.TextChoices):
        SLACK = "slack", "Slack"
        STATUSPAGE = "statuspage", "Status page"
        PAGERDUTY = "pagerduty", "PagerDuty"

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting to be sent"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Not sent"
        UNKNOWN = "unknown", "Unknown"

    # Those of an incident are part of its record.
    kept = Kept(
        length=timedelta(days=397),
        since="created_at",
        only=models.Q(incident=None) & ~models.Q(state__in=[State.QUEUED, State.SENDING]),
    )

    # Travels with the message, so that it is found again at the other side.
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    environment = models.CharField(max_length=40)
    kind = models.CharField(max_length=10, choices=Kind)
    operation = models.CharField(max_length=12)
    # The channel, the page's id, or the incident at PagerDuty.
    address = models.CharField(max_length=255)
    payload = models.JSONField(default=dict)
    # Messages of one lane are sent one after the other; a reply or an update goes to what the lane's first one made.
    lane = models.CharField(max_length=80, blank=True)
    subject = models.CharField(max_length=200)
    incident = models.IntegerField(null=True, blank=True)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    idempotency_key = models.CharField(max_length=160, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    sentence = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Whether the other side answered the attempt that is open with an error of its own.
    answered = models.BooleanField(default=False)
    # Somebody asked to look once more: nothing is sent whatever is seen.
    only_look = models.BooleanField(default=False)
    # What the other side called it: `channel` and `ts` of Slack, `id` of the status page or the note.
    response = models.JSONField(default=dict)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_token = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    next_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    intent_at = models.DateTimeField(null=True)
    # Set by the last check before the bytes leave: while it is empty, nothing was sent.
    signed_at = models.DateTimeField(null=True)
    outcome_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(state__in=["queued", "sending"]), name="message_due"),
            models.Index(fields=["lane", "id"], condition=~models.Q(lane=""), name="message_lane"),
            models.Index(fields=["incident", "id"], name="message_of_incident"),
            models.Index(fields=["environment", "-id"], name="message_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"

    def get_absolute_url(self) -> str:
        return f"{reverse('outbox:messages')}#message-{self.pk}"

    @property
    def over(self) -> bool:
        """Whether no worker has anything left to do with it."""
        return self.state in (self.State.SENT, self.State.FAILED, self.State.UNKNOWN)

    @property
    def text(self) -> str:
        """What it says, in people's words."""
        payload: dict[str, Any] = self.payload
        return str(payload.get("text") or payload.get("body") or "")
