"""The record of each restore: from what, into what, how long it took, and what its database held."""

from datetime import datetime
from typing import Any

from django.db import models
from django.urls import reverse

from novaops.runbook.models import Run
from novaops.words import are, counted

TO_SECOND = "%Y-%m-%d %H:%M:%S UTC"


class Restore(models.Model):
    """One restore, entered when its run begins and filled in when that is over.

    `rto_s` is from asking to a proven database, or to the end of the cut-over to it; `rpo_s` from the newest restored
    row to the newest of production when it was asked for. Both are empty where they are not proven.
    """

    class Kind(models.TextChoices):
        SNAPSHOT = "snapshot", "snapshot"
        TIME = "time", "point in time"

    class State(models.TextChoices):
        UNDER_WAY = "under-way", "Under way"
        PROVEN = "proven", "Proven"
        FAILED = "failed", "Failed"

    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="restore")
    environment = models.CharField(max_length=40)
    incident = models.IntegerField(null=True, db_index=True)
    drill = models.BooleanField(default=False)
    kind = models.CharField(max_length=8, choices=Kind)
    source = models.CharField(max_length=300)
    # The moment of the snapshot, or the one asked for; None for the latest restorable one.
    source_at = models.DateTimeField(null=True)
    instance = models.CharField(max_length=63)
    state = models.CharField(max_length=10, choices=State, default=State.UNDER_WAY)
    sentence = models.TextField(blank=True)
    asked_at = models.DateTimeField()
    available_at = models.DateTimeField(null=True)
    proven_at = models.DateTimeField(null=True)
    # When a cut-over to it was complete.
    used_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=60, blank=True)
    same_schema = models.BooleanField(null=True)
    # One entry for each key table, as backups.contents tells it.
    tables = models.JSONField(default=list)
    newest_at = models.DateTimeField(null=True)
    lost_rows = models.PositiveBigIntegerField(null=True)
    lost_from = models.DateTimeField(null=True)
    lost_until = models.DateTimeField(null=True)
    rto_s = models.FloatField(null=True)
    rpo_s = models.FloatField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["environment", "-id"], name="restore_recent")]

    def __str__(self) -> str:
        return f"Restore of {self.source} into {self.instance}"

    def get_absolute_url(self) -> str:
        return reverse("backups:restore", args=[self.pk])

    @property
    def loss(self) -> str:
        """In words, what of production is not in it."""
        if self.lost_rows is None:
            return "what is lost is not known"
        if not self.lost_rows or not self.lost_from or not self.lost_until:
            return "no row of production was missing"
        span = f"from {self.lost_from:{TO_SECOND}} to {self.lost_until:{TO_SECOND}}"
        return f"{counted(self.lost_rows, 'row')} of production {are(self.lost_rows)} missing, {span}"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The tables with their moments as times."""
        names = ("newest_at", "lost_from", "lost_until")
        return [
            {**table, **{name: datetime.fromisoformat(table[name]) if table[name] else None for name in names}}
            for table in self.tables
        ]


class Beside(models.Model):
    """An instance that a restore made and that stands beside production, as RDS last told; kept after it is gone."""

    environment = models.CharField(max_length=40)
    name = models.CharField(max_length=63)
    status = models.CharField(max_length=60)
    instance_class = models.CharField(max_length=60)
    size_gb = models.PositiveIntegerField(default=0)
    multi_az = models.BooleanField(default=False)
    created_at = models.DateTimeField(null=True)
    # The number in its tag: a run of this NovaOps, or of an earlier one.
    run = models.PositiveBigIntegerField(null=True)
    read_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-name"]
        constraints = [models.UniqueConstraint(fields=["environment", "name"], name="restored_instance_once")]

    def __str__(self) -> str:
        return self.name
