"""What incidents keep besides themselves: the words to search, the answers to repeated requests, and drills."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from novaops.retention import Kept


class Words(models.Model):
    """The words of an incident's title, impact and timeline; several rows where they are very many."""

    incident = models.ForeignKey("incidents.Incident", on_delete=models.CASCADE, related_name="words")
    lexemes = SearchVectorField()

    class Meta:
        indexes = [GinIndex(fields=["lexemes"], name="incident_words")]

    def __str__(self) -> str:
        return f"Words of incident {self.incident_id}"


class Once(models.Model):
    """What a program's request made, so that the same request again is answered and not done."""

    kept = Kept(length=timedelta(days=30), since="at")

    key = models.CharField(max_length=120, unique=True)
    digest = models.CharField(max_length=64)
    ref = models.BigIntegerField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key


class Drill(models.Model):
    """A rehearsal: a scenario of the sandbox, the incident that the team made of it, and how it went."""

    environment = models.CharField(max_length=40)
    scenario = models.CharField(max_length=60)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)
    incident = models.OneToOneField("incidents.Incident", on_delete=models.PROTECT, null=True, related_name="drill")
    # Empty until it ended: the measured times beside their targets, what was missed, and the points.
    score = models.JSONField(default=dict)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(fields=["environment"], condition=Q(ended_at=None), name="one_drill_at_a_time")
        ]

    def __str__(self) -> str:
        return f"Drill {self.pk}: {self.scenario}"
