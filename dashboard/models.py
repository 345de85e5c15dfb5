"""What collection keeps of Nova: series and samples, the latest reading of each service, rounds, leases and alerts."""

import uuid
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse
from django.utils import timezone

from novaops import leases
from novaops.retention import Kept


class Series(models.Model):
    """One metric of one service. `resource` names the node where a service has several, and is empty otherwise."""

    environment = models.CharField(max_length=40)
    service = models.CharField(max_length=20)
    name = models.CharField(max_length=60)
    resource = models.CharField(max_length=120, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    # Up to when CloudWatch has been asked for it; empty until the first answer, which reaches three hours back.
    asked_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "service", "name", "resource"], name="series_once"),
        ]

    def __str__(self) -> str:
        return f"{self.environment} {self.service} {self.name} {self.resource}".rstrip()


class Point(models.Model):
    """A value of a series at a time: the shape that samples and rollups share."""

    pk = models.CompositePrimaryKey("series_id", "at")
    # Without a database constraint: series are never deleted, and each of 500 rows a round would be checked.
    series = models.ForeignKey(
        Series, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    at = models.DateTimeField()
    value = models.FloatField()

    class Meta:
        abstract = True


class Sample(Point):
    """One value of a series. For a CloudWatch metric `at` is the start of its period. Partitioned by day."""


class Rollup(Point):
    """The samples of one bin, which starts at `at`: `value` is their average."""

    low = models.FloatField()
    high = models.FloatField()
    samples = models.PositiveIntegerField()

    class Meta:
        abstract = True


class FiveMinutes(Rollup):
    """Bins of five minutes. Partitioned by day."""


class Hour(Rollup):
    """Bins of one hour. Partitioned by month."""


class Unrolled(models.Model):
    """An hour with samples that the rollups do not have yet: new, late or corrected ones. One row for each write."""

    hour = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00}"


class Latest(models.Model):
    """The newest sample of a series."""

    series = models.OneToOneField(Series, on_delete=models.CASCADE, primary_key=True, related_name="latest")
    at = models.DateTimeField()
    value = models.FloatField()

    def __str__(self) -> str:
        return f"{self.series_id}: {self.value}"


class Reading(models.Model):
    """The latest collected state of a service.

    `at` is when it was last collected, answered or not. `values` maps a series' name (`name/resource` for one of
    several nodes) to {value, at, unit, source}; a value whose source is dead keeps its old time. `failed` are the
    sentences of the sources that did not answer in the last round; `facts` is what they told that is not a number;
    `spark` are the last three hours of the tile's series until `at`, null where there is a gap.
    """

    environment = models.CharField(max_length=40)
    service = models.CharField(max_length=20)
    at = models.DateTimeField()
    source = models.CharField(max_length=200, blank=True)
    values = models.JSONField(default=dict)
    failed = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    spark = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "service"], name="reading_once")]

    def __str__(self) -> str:
        return f"{self.environment} {self.service}"


class Deployment(models.Model):
    """A deployment of an ECS service, as it was last seen: ECS itself forgets those that are over."""

    environment = models.CharField(max_length=40)
    service = models.CharField(max_length=20)
    deployment_id = models.CharField(max_length=60)
    task_definition = models.CharField(max_length=255)
    status = models.CharField(max_length=20, blank=True)
    rollout_state = models.CharField(max_length=20, blank=True)
    reason = models.TextField(blank=True)
    desired = models.PositiveIntegerField()
    running = models.PositiveIntegerField()
    failed_tasks = models.PositiveIntegerField()
    at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["environment", "service", "deployment_id"], name="deployment_once"),
        ]
        indexes = [models.Index(fields=["environment", "service", "-at"], name="deployment_recent")]

    def __str__(self) -> str:
        return self.task_definition


class Enquiry(models.Model):
    """What a page asked of the outside, and what a worker was told: pages never ask. Forgotten after an hour."""

    class State(models.TextChoices):
        ASKED = "asked", "Asked"
        LOOKING = "looking", "Looking"
        TOLD = "told", "Told"
        FAILED = "failed", "Failed"

    # Answers hold lines of Nova's logs.
    kept = Kept(length=timedelta(hours=1), since="asked_at")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    environment = models.CharField(max_length=40)
    service = models.CharField(max_length=20)
    subject = models.CharField(max_length=20)
    params = models.JSONField(default=dict)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    # Names the query that runs at CloudWatch meanwhile.
    query_id = models.CharField(max_length=100, blank=True)
    sentence = models.TextField(blank=True)
    answer = models.JSONField(default=dict)
    told_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-asked_at"]
        indexes = [models.Index(fields=["environment", "service", "subject", "-asked_at"], name="enquiry_recent")]

    def __str__(self) -> str:
        return f"{self.subject} of {self.environment} {self.service}"

    def get_absolute_url(self) -> str:
        return reverse("dashboard:enquiry", args=[self.service, self.pk])

    @property
    def pending(self) -> bool:
        """Whether the answer is still to come."""
        return self.state in (self.State.ASKED, self.State.LOOKING)

    @property
    def late(self) -> bool:
        """Whether no worker has taken it in a time in which one should have."""
        return self.state == self.State.ASKED and timezone.now() - self.asked_at > timedelta(seconds=15)


class Round(models.Model):
    """One pass of the collector over an environment."""

    kept = Kept(length=timedelta(days=2), since="started_at")

    environment = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    sources = models.PositiveSmallIntegerField()
    samples = models.PositiveIntegerField()
    failed = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["environment", "-started_at"], name="round_recent")]

    def __str__(self) -> str:
        return f"{self.environment} {self.started_at:%H:%M:%S}"

    @property
    def took_s(self) -> float:
        return (self.finished_at - self.started_at).total_seconds()


class Lease(leases.Lease):
    """Who collects an environment, and when it is due again."""

    length_s = 30.0


class Pulse(models.Model):
    """The latest sign of life of a part of NovaOps: `beat`, `worker:<name>` or `queue:<name>`, by the database's clock.

    `delay_s` is how long the message that carried it had waited in its queue; None where its sender did not say when.
    """

    kept = Kept(length=timedelta(days=1), since="at", only=~models.Q(name="beat"))

    name = models.CharField(max_length=160, primary_key=True)
    at = models.DateTimeField()
    delay_s = models.FloatField(null=True)

    def __str__(self) -> str:
        return self.name


class Severity(models.TextChoices):
    """How bad an alert is; named as the states it gives a tile."""

    CRIT = "crit", "Critical"
    WARN = "warn", "Degraded"


class AlertState(models.TextChoices):
    """Whether an alert's condition still holds."""

    FIRING = "firing", "Firing"
    CLEARED = "cleared", "Cleared"


class Alert(models.Model):
    """One firing of a rule, or of an alarm outside that has no rule of ours.

    The condition began at `started_at` and had lasted long enough at `fired_at`.
    Cleared and soon beyond the threshold again it is the same alert: `flaps` counts how often, `reopened_at` says when.
    """

    environment = models.CharField(max_length=40)
    service = models.CharField(max_length=20)
    rule = models.CharField(max_length=60)
    resource = models.CharField(max_length=120, blank=True)
    title = models.CharField(max_length=120)
    severity = models.CharField(max_length=4, choices=Severity)
    state = models.CharField(max_length=7, choices=AlertState, default=AlertState.FIRING)
    source = models.CharField(max_length=60)
    sentence = models.TextField()
    # Empty where it is known from outside only.
    value = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    dedup_key = models.CharField(max_length=255)
    started_at = models.DateTimeField()
    fired_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)
    flaps = models.PositiveIntegerField(default=0)
    reopened_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-fired_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dedup_key"], condition=models.Q(state=AlertState.FIRING), name="one_firing_alert"
            ),
        ]
        indexes = [models.Index(fields=["environment", "-fired_at"], name="alert_recent")]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("dashboard:alert", args=[self.pk])


class Threshold(models.Model):
    """What an administrator changed of a rule in an environment, above nova.toml. The audit has the history."""

    environment = models.CharField(max_length=40)
    rule = models.CharField(max_length=60)
    value = models.FloatField()
    for_s = models.PositiveIntegerField()
    changed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "rule"], name="threshold_once")]

    def __str__(self) -> str:
        return f"{self.environment} {self.rule}"


class Witness(models.Model):
    """Who tells of an alert: our own rule or somebody outside, since when, and until when."""

    class Source(models.TextChoices):
        """Which kind of witness; `name` is the rule's key, the alarm's name, the incident's id, the sender's word."""

        RULE = "rule", "NovaOps"
        CLOUDWATCH = "cloudwatch", "CloudWatch"
        PAGERDUTY = "pagerduty", "PagerDuty"
        SENDER = "sender", "Webhook"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="witnesses")
    source = models.CharField(max_length=10, choices=Source)
    name = models.CharField(max_length=255)
    sentence = models.CharField(max_length=600)
    url = models.CharField(max_length=400, blank=True, default="")
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["since", "id"]
        constraints = [models.UniqueConstraint(fields=["alert", "source", "name"], name="witness_once")]

    def __str__(self) -> str:
        return f"{self.get_source_display()}: {self.name}"


class Quiet(models.Model):
    """For which time and why nobody is told of something: the shape that silences and maintenance share."""

    environment = models.CharField(max_length=40)
    reason = models.CharField(max_length=300)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    # Ended by hand before its time.
    ended_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        ordering = ["starts_at", "id"]


class Silence(Quiet):
    """Nobody is told of a rule's alerts; the alerts fire and are shown all the same. Without a node: of all nodes."""

    service = models.CharField(max_length=20)
    rule = models.CharField(max_length=60)
    title = models.CharField(max_length=120)
    resource = models.CharField(max_length=120, blank=True, default="")

    def __str__(self) -> str:
        return f"{self.title} in {self.environment}"


class Maintenance(Quiet):
    """A service is worked on: its tile says so instead of its state, and nobody is told of its alerts."""

    service = models.CharField(max_length=20)

    def __str__(self) -> str:
        return f"{self.service} in {self.environment}"


# Django finds an app's models here only.
from dashboard.hooks.models import Delivery, Subscription  # noqa: E402, F401
