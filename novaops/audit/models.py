"""One entry of the chain. No foreign keys: the log never depends on, nor interferes with, live data."""

import json
from typing import Any

from django.db import models


class Entry(models.Model):
    """An audit entry; written only by `chain.record`, and refused by a trigger to change or go."""

    seq = models.BigIntegerField(unique=True)
    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=150)
    actor_id = models.BigIntegerField(null=True)
    via = models.CharField(max_length=20)
    verb = models.CharField(max_length=60, db_index=True)
    subject = models.CharField(max_length=300)
    environment = models.CharField(max_length=40, blank=True)
    reason = models.TextField(blank=True)
    incident = models.IntegerField(null=True, db_index=True)
    run = models.BigIntegerField(null=True, db_index=True)
    detail_json = models.TextField()
    prev_hash = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]

    def __str__(self) -> str:
        return f"#{self.seq} {self.verb} {self.subject}"

    @property
    def detail(self) -> dict[str, Any]:
        """What else belongs to the entry: before and after, parameters, request ids."""
        return dict(json.loads(self.detail_json))
