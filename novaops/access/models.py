"""Grants: which role may do what in which environment; tokens: what a program may do in its owner's name."""

from datetime import timedelta

from django.contrib.auth.models import Group, User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

EVERYWHERE = "*"
TOKEN_DAYS = 90


class Scope(models.TextChoices):
    """What a token may ask for at most; its owner's grants limit it further. None of them approves anything."""

    READ = "read", "Read health, actions, plans, runs, the audit and incidents"
    RUN_SAFE = "run:safe", "Run safe actions"
    RUN_DISRUPTIVE = "run:disruptive", "Run disruptive actions"
    REQUEST_DESTRUCTIVE = "request:destructive", "Request destructive actions"
    INCIDENTS = "write:incidents", "Declare incidents and write in them"
    COMMAND = "command:incidents", "Command incidents: severity, roles, resolving, skipping, merging"


class Grant(models.Model):
    """One verb that the members of a group may use in an environment (`*`: in all of them)."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="grants")
    environment = models.CharField(max_length=40, default=EVERYWHERE)
    verb = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "environment", "verb"], name="grant_once")]

    def __str__(self) -> str:
        return f"{self.group} may {self.verb} in {self.environment}"


class Token(models.Model):
    """A bearer token of the API. Only the hash of its secret is kept: the token itself is shown once."""

    public_id = models.CharField(max_length=8, unique=True)
    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=80)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope))
    # CIDR ranges it may be used from; empty: from anywhere.
    networks = ArrayField(models.CharField(max_length=43), default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__lte=F("created_at") + timedelta(days=TOKEN_DAYS)), name="token_expires"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"
