"""What came in from outside, exactly as it came, and which topics asked to be subscribed."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from novaops.retention import Kept


class Delivery(models.Model):
    """One verified message from outside: kept raw when it comes, read by a worker afterwards.

    `ident` is the sender's own name for it, so that a second copy is known as one. `told_at` and `subject` are what
    it is about, once it was read.
    """

    class State(models.TextChoices):
        """Whether a worker has read it, and what came of it."""

        WAITING = "waiting", "Waiting"
        USED = "used", "Used"
        IGNORED = "ignored", "Ignored"
        UNREADABLE = "unreadable", "Not understood"

    kept = Kept(length=timedelta(days=30), since="received_at", only=~models.Q(state=State.WAITING))

    source = models.CharField(max_length=40)
    ident = models.CharField(max_length=200)
    environment = models.CharField(max_length=40)
    via = models.CharField(max_length=5)
    body = models.BinaryField()
    received_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    outcome = models.CharField(max_length=300, blank=True, default="")
    subject = models.CharField(max_length=300, blank=True, default="")
    told_at = models.DateTimeField(null=True)
    alert = models.ForeignKey("dashboard.Alert", on_delete=models.SET_NULL, null=True, related_name="deliveries")

    class Meta:
        app_label = "dashboard"
        constraints = [models.UniqueConstraint(fields=["source", "ident"], name="delivery_once")]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(state="waiting"), name="delivery_waiting"),
            models.Index(fields=["source", "-received_at"], name="delivery_recent"),
            models.Index(fields=["source", "subject", "-told_at"], name="delivery_of"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.ident}"

    def conclude(self, state: str, outcome: str) -> None:
        """Say what came of it; saved by the caller."""
        self.state, self.outcome = state, outcome[:300]


class Subscription(models.Model):
    """A topic of SNS that asked for our address. A person accepts it on a page, then a worker tells AWS."""

    class State(models.TextChoices):
        """How far the answer is."""

        ASKED = "asked", "Asks to be confirmed"
        ACCEPTED = "accepted", "Accepted, AWS is being told"
        CONFIRMED = "confirmed", "Confirmed"
        FAILED = "failed", "Failed"

    environment = models.CharField(max_length=40)
    topic = models.CharField(max_length=300, unique=True)
    token = models.CharField(max_length=1000)
    state = models.CharField(max_length=10, choices=State, default=State.ASKED)
    sentence = models.CharField(max_length=300, blank=True, default="")
    asked_at: "models.DateTimeField[datetime, datetime]" = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "dashboard"

    def __str__(self) -> str:
        return self.topic
