"""What is known of backups: each watched database as RDS keeps it, every snapshot, and who collects them."""

from datetime import timedelta

from django.db import models
from django.urls import reverse
from django.utils import timezone

from backups.restore_models import Beside as Beside
from backups.restore_models import Restore as Restore
from novaops import leases
from novaops.retention import Kept


class Database(models.Model):
    """A database whose backups are watched, as RDS last told.

    `read_at` is when RDS last answered, `asked_at` when it was last asked; they differ where it does not answer, and
    `failed` says why. What stands here is of `read_at`. `known_since` is when nova.toml first named it here,
    `left_at` when it was first seen not to any more: its snapshots stay as they were last told.
    """

    class Kind(models.TextChoices):
        INSTANCE = "instance", "instance"
        CLUSTER = "cluster", "cluster"

    environment = models.CharField(max_length=40)
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=8, choices=Kind)
    status = models.CharField(max_length=60, blank=True)
    engine = models.CharField(max_length=60, blank=True)
    storage_gb = models.PositiveIntegerField(default=0)
    encrypted = models.BooleanField(default=False)
    multi_az = models.BooleanField(default=False)
    retention_days = models.PositiveSmallIntegerField(default=0)
    window = models.CharField(max_length=20, blank=True)
    latest_restorable_at = models.DateTimeField(null=True)
    earliest_restorable_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(null=True)
    quota_used = models.PositiveIntegerField(null=True)
    quota_most = models.PositiveIntegerField(null=True)
    known_since = models.DateTimeField(default=timezone.now)
    left_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    failed = models.TextField(blank=True)

    class Meta:
        ordering = ["environment", "pk"]
        constraints = [models.UniqueConstraint(fields=["environment", "name"], name="backup_database_once")]

    def __str__(self) -> str:
        return self.name


class Snapshot(models.Model):
    """One snapshot as RDS last told, kept after it is gone.

    `run`, `taken_by`, `reason` and `deployment` are its origin, from the tags that our runs give their snapshots.
    `expires_at` is when RDS deletes an automated one, and when a manual one is old by the policy.
    """

    kept = Kept(length=timedelta(days=397), since="gone_at")

    database = models.ForeignKey(Database, on_delete=models.CASCADE, related_name="snapshots")
    region = models.CharField(max_length=30)
    name = models.CharField(max_length=255)
    arn = models.CharField(max_length=500, blank=True)
    kind = models.CharField(max_length=20)
    status = models.CharField(max_length=30)
    percent = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    size_gb = models.PositiveIntegerField(default=0)
    engine_version = models.CharField(max_length=60, blank=True)
    encrypted = models.BooleanField(default=False)
    kms_key = models.CharField(max_length=500, blank=True)
    copied_from = models.CharField(max_length=500, blank=True)
    tags = models.JSONField(default=dict)
    run = models.PositiveBigIntegerField(null=True)
    taken_by = models.CharField(max_length=256, blank=True)
    reason = models.CharField(max_length=256, blank=True)
    deployment = models.CharField(max_length=256, blank=True)
    first_seen_at = models.DateTimeField()
    read_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = [models.F("created_at").desc(nulls_first=True), "-id"]
        constraints = [
            models.UniqueConstraint(fields=["database", "region", "name"], name="backup_snapshot_once"),
        ]
        indexes = [
            models.Index(
                models.F("created_at").desc(nulls_first=True), models.F("id").desc(), name="backup_snapshot_newest"
            ),
            models.Index(fields=["database", "-created_at"], name="backup_snapshot_of"),
            models.Index(fields=["run"], condition=models.Q(run__isnull=False), name="backup_snapshot_run"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("backups:snapshot", args=[self.pk])

    @property
    def is_good(self) -> bool:
        """Whether it can be restored now."""
        return self.status == "available" and self.gone_at is None


class Lease(leases.Lease):
    """Who reads the backups of an environment, and when they are due again."""

    length_s = 40.0
