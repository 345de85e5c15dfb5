"""Plans, runs, their steps, and every attempt to send an effect."""

import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse
from django.utils import timezone

from novaops.retention import Kept
from novaops.runbook.states import ACTIVE, FINISHED, CallOutcome, RunStatus, StepState


class Plan(models.Model):
    """An action resolved against a target and parameters; frozen once it is ready."""

    class State(models.TextChoices):
        RESOLVING = "resolving", "Looking at the target"
        READY = "ready", "Ready"
        FAILED = "failed", "Could not be made"

    # A preview that nobody confirmed.
    kept = Kept(length=timedelta(days=30), since="created_at", only=models.Q(run=None))

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.CharField(max_length=60)
    environment = models.CharField(max_length=40)
    service = models.CharField(max_length=20)
    target = models.CharField(max_length=255)
    params = models.JSONField(default=dict)
    incident = models.IntegerField(null=True, blank=True)
    # The entry of the undo ledger that this plan puts back.
    undoes = models.ForeignKey("Undo", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=State, default=State.RESOLVING)
    sentence = models.TextField(blank=True)
    # What was seen of the target; the digest covers it, so that a changed target voids the plan.
    facts = models.JSONField(default=dict)
    steps = models.JSONField(default=list)
    changes = models.JSONField(default=list)
    prechecks = models.JSONField(default=list)
    affects = models.TextField(blank=True)
    undo = models.TextField(blank=True)
    expected_s = models.FloatField(null=True)
    digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.action} on {self.target}"

    def get_absolute_url(self) -> str:
        return reverse("runbook:preview", args=[self.pk])

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The effects among the steps: the exact calls that will be sent."""
        return [step for step in self.steps if step["kind"] == "effect"]

    @property
    def refusals(self) -> list[str]:
        """The sentences of the prechecks that failed: why this plan cannot be run."""
        return [check["sentence"] for check in self.prechecks if check["state"] == "failed"]


class Run(models.Model):
    """One execution of a plan. The row is the truth: workers only carry it on."""

    plan = models.OneToOneField(Plan, on_delete=models.PROTECT, related_name="run")
    action = models.CharField(max_length=60)
    title = models.CharField(max_length=120)
    environment = models.CharField(max_length=40)
    service = models.CharField(max_length=20)
    target = models.CharField(max_length=255)
    params = models.JSONField(default=dict)
    risk = models.CharField(max_length=12)
    reason = models.TextField()
    incident = models.IntegerField(null=True, blank=True, db_index=True)
    idempotency_key = models.CharField(max_length=120, unique=True)
    request_hash = models.CharField(max_length=64)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    via = models.CharField(max_length=20, default="page")
    status = models.CharField(max_length=20, choices=RunStatus, default=RunStatus.QUEUED)
    cursor = models.PositiveSmallIntegerField(default=0)
    outcome = models.TextField(blank=True)
    broken_glass = models.BooleanField(default=False)
    cancel_requested = models.BooleanField(default=False)
    failures = models.PositiveSmallIntegerField(default=0)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_token = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField()
    code_version = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)
    # When a worker might begin: at the request, or at its approval.
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # What a person said of it afterwards; None while nobody has.
    worked = models.BooleanField(null=True)
    judged_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    judged_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(worked=None, judged_by=None, judged_at=None)
                | models.Q(worked__isnull=False, judged_by__isnull=False, judged_at__isnull=False),
                name="a_judgement_has_a_judge",
            ),
            models.UniqueConstraint(
                fields=["environment", "target"], condition=models.Q(status__in=ACTIVE), name="one_active_run_a_target"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(status__in=ACTIVE), name="run_due"),
            models.Index(fields=["environment", "-created_at"], name="run_recent"),
            models.Index(fields=["environment", "target", "-finished_at"], name="run_of_target"),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}: {self.title} on {self.target}"

    def get_absolute_url(self) -> str:
        return reverse("runbook:run", args=[self.pk])

    @property
    def finished(self) -> bool:
        """Whether the run is over and its target free."""
        return self.status in FINISHED

    @property
    def subject(self) -> str:
        """How audit entries name the run."""
        return f"{self.action} on {self.target}"


class Step(models.Model):
    """A part of a run: an effect, a wait or a verification."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=60)
    title = models.CharField(max_length=160)
    kind = models.CharField(max_length=8)
    state = models.CharField(max_length=8, choices=StepState, default=StepState.PENDING)
    sentence = models.TextField(blank=True)
    progress_percent = models.PositiveSmallIntegerField(null=True)
    result = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="step_position_once")]

    def __str__(self) -> str:
        return self.title


class Call(models.Model):
    """One attempt to send an effect: the intent before it, the outcome after it."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="calls")
    attempt = models.PositiveSmallIntegerField()
    operation = models.CharField(max_length=80)
    command_line = models.TextField()
    before = models.JSONField(default=dict)
    lease_token = models.PositiveBigIntegerField()
    intent_at = models.DateTimeField()
    # Set by the last check before the bytes leave: while it is empty, nothing was sent.
    signed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=8, choices=CallOutcome, default=CallOutcome.OPEN, blank=True)
    outcome_at = models.DateTimeField(null=True)
    sentence = models.TextField(blank=True)
    request_id = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["attempt"]
        constraints = [
            models.UniqueConstraint(
                fields=["step"],
                condition=models.Q(outcome__in=["", "ok", "observed", "unknown"]),
                name="one_effect_a_step",
            ),
            models.UniqueConstraint(fields=["step", "attempt"], name="call_attempt_once"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} (attempt {self.attempt})"


class Approval(models.Model):
    """A second person's consent to one run of one plan: bound to the plan's digest, for fifteen minutes, once."""

    class State(models.TextChoices):
        PENDING = "pending", "Waiting for a second person"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"
        EXPIRED = "expired", "Expired"
        VOID = "void", "Void: the target changed"

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="approval")
    digest = models.CharField(max_length=64)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(decided_by=models.F("requested_by")), name="nobody_approves_their_own_request"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="approved") | models.Q(decided_by__isnull=False), name="somebody_approved"
            ),
        ]

    def __str__(self) -> str:
        return f"Approval of run {self.run_id}: {self.state}"

    def get_absolute_url(self) -> str:
        return reverse("runbook:approval", args=[self.pk])


class Freeze(models.Model):
    """While it stands, no effect is sent in its environment; waits of running runs go on."""

    environment = models.CharField(max_length=40)
    reason = models.TextField()
    frozen_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    frozen_at = models.DateTimeField(auto_now_add=True)
    lifted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment"], condition=models.Q(lifted_at=None), name="one_freeze_an_environment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.environment} frozen: {self.reason}"


class Undo(models.Model):
    """What puts back what a run changed, kept until it is done, dismissed, or too old to mean anything."""

    class State(models.TextChoices):
        OPEN = "open", "Not put back yet"
        DONE = "done", "Put back"
        DISMISSED = "dismissed", "Meant to stay"

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="inverse")
    environment = models.CharField(max_length=40)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=255)
    params = models.JSONField(default=dict)
    sentence = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    expires_at = models.DateTimeField()
    settled_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["environment", "expires_at"], condition=models.Q(state="open"), name="undo_open")
        ]

    def __str__(self) -> str:
        return self.sentence
