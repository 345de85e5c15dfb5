"""Incidents, their checklist, append-only timeline, links, roles, follow-ups and post-mortems."""

import uuid
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.urls import reverse

from incidents.measures import Moments
from incidents.papers import Draft as Draft
from incidents.papers import FollowUp as FollowUp
from incidents.papers import Postmortem as Postmortem
from incidents.papers import PostmortemVersion as PostmortemVersion
from incidents.papers import Review as Review
from incidents.papers import Waiver as Waiver
from incidents.rows import Drill as Drill
from incidents.rows import Once as Once
from incidents.rows import Words as Words
from incidents.severity import SEVERITIES, Severity
from incidents.steps import STEP, Step
from incidents.telling_rows import Elsewhere as Elsewhere
from incidents.telling_rows import SlackPerson as SlackPerson

POSTMORTEM_WITHIN = timedelta(hours=48)
# An entry written this long after what it tells counts as late.
LATE_AFTER = timedelta(minutes=2)
BRIEF = 60
# The entries that prove a step, and those that people marked.
PROOF = Q(kind="message") | Q(data__has_any_keys=["report", "snapshot", "no_action"])
MARKED = Q(starred=True) | Q(pinned=True)


class Incident(models.Model):
    """One incident. Its moments are None until they happen; the start is what people know it to be."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        RESOLVED = "resolved", "Resolved"
        CLOSED = "closed", "Closed"
        MERGED = "merged", "Merged"

    number = models.PositiveIntegerField(unique=True)
    # Names the incident in exported files, also after its number was used again in another database.
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    environment = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    severity = models.CharField(max_length=4, choices=[(name, name) for name in SEVERITIES])
    services = ArrayField(models.CharField(max_length=20), default=list)
    impact = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    # What it was declared for (`<environment>:<rule or service>`); empty for a blank declaration.
    dedup_key = models.CharField(max_length=255, blank=True)
    commander = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    declared_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    declared_at = models.DateTimeField()
    started_at = models.DateTimeField()
    detected_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    mitigated_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    # When people outside the room were last told something.
    told_at = models.DateTimeField(null=True)
    # Grows with each change of its title, severity, services, impact and moments; a form names the one it shows.
    version = models.PositiveIntegerField(default=1)
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="merged")
    # A rehearsal on the sandbox: marked on every page, and left out of what is learned from incidents.
    is_drill = models.BooleanField(default=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["dedup_key"], condition=Q(state="open") & ~Q(dedup_key=""), name="one_open_incident_a_cause"
            )
        ]
        indexes = [
            models.Index(fields=["environment", "state", "-number"], name="incident_of_environment"),
            models.Index(fields=["environment", "-started_at"], name="incident_started"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("incidents:room", args=[self.number])

    @property
    def name(self) -> str:
        """How people say it: INC-42."""
        return f"INC-{self.number}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN

    @property
    def numbers(self) -> "models.QuerySet[Incident, int]":
        """Its number and those of the incidents that were merged into it, to be asked for within another query."""
        return Incident.objects.filter(Q(pk=self.pk) | Q(merged_into=self.pk)).values_list("number", flat=True)

    @property
    def grade(self) -> Severity:
        """The written definition of its severity."""
        return SEVERITIES[self.severity]

    @property
    def closed_steps(self) -> int:
        """How many of the six steps are closed."""
        return sum(not step.is_open for step in self.steps.all())

    @property
    def start_known(self) -> bool:
        """Whether an alert or a person said when it began; else it began, at the latest, when it was declared."""
        return self.started_at != self.declared_at

    @property
    def moments(self) -> Moments:
        return Moments(
            started_at=self.started_at if self.start_known else None,
            detected_at=self.detected_at,
            acknowledged_at=self.acknowledged_at,
            mitigated_at=self.mitigated_at,
            resolved_at=self.resolved_at,
        )

    @property
    def next_update_due_at(self) -> datetime | None:
        """When people must hear again; None where nothing is promised or it is over."""
        if not self.is_open or self.grade.update_every is None:
            return None
        return (self.told_at or self.declared_at) + self.grade.update_every


class ChecklistStep(models.Model):
    """One of the six steps in one incident, frozen in the runbook's words when the incident was declared."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"
        OVERRIDDEN = "overridden", "Overridden"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="steps")
    key = models.CharField(max_length=12)
    position = models.PositiveSmallIntegerField()
    words = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    evidence = models.JSONField(default=list)
    # Why it was closed without its evidence, or skipped.
    override_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["incident", "key"], name="incident_step_once")]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"

    @property
    def definition(self) -> Step:
        return STEP[self.key]

    @property
    def title(self) -> str:
        return self.definition.title

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN


class ChecklistItem(models.Model):
    """A part of a step from the runbook, ticked by a person; it informs and never gates."""

    step = models.ForeignKey(ChecklistStep, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveSmallIntegerField()
    text = models.CharField(max_length=300)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["step", "position"], name="checklist_item_once")]

    def __str__(self) -> str:
        return self.text


class TimelineEntry(models.Model):
    """Something that happened, as it was told. A trigger refuses to change or remove it; only its marks may change."""

    class Kind(models.TextChoices):
        ALERT = "alert", "Alert"
        RUN = "run", "Run"
        STATE = "state", "State"
        NOTE = "note", "Note"
        ROLE = "role", "Role"
        SEVERITY = "severity", "Severity"
        MESSAGE = "message", "Message"
        STEP = "step", "Step"
        DEPLOYMENT = "deployment", "Deployment"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="timeline")
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=Kind)
    author = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    text = models.TextField()
    url = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict)
    # What makes a second telling of the same thing a repetition; empty where there is none.
    dedup_key = models.CharField(max_length=120, blank=True)
    starred = models.BooleanField(default=False)
    pinned = models.BooleanField(default=False)
    # Whether the search has its words already.
    folded = models.BooleanField(default=False)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "dedup_key"], condition=~Q(dedup_key=""), name="timeline_entry_once"
            )
        ]
        indexes = [
            models.Index(fields=["incident", "-at", "-id"], name="timeline_newest"),
            models.Index(fields=["incident", "-at", "-id"], condition=PROOF, name="timeline_proof"),
            models.Index(fields=["incident"], condition=MARKED, name="timeline_marked"),
            models.Index(fields=["id"], condition=Q(folded=False), name="timeline_unfolded"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.text}"

    @property
    def brief(self) -> str:
        """How its buttons name it."""
        return self.text if len(self.text) <= BRIEF else f"{self.text[: BRIEF - 1]}…"

    @property
    def late(self) -> bool:
        """Whether it was written down noticeably after it happened."""
        return self.recorded_at - self.at > LATE_AFTER

    @property
    def who(self) -> str:
        return self.author.get_username() if self.author else "NovaOps"


class Link(models.Model):
    """An alert or a run that belongs to the incident, by id, so that the row there may be pruned."""

    class Kind(models.TextChoices):
        ALERT = "alert", "Alert"
        RUN = "run", "Run"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="links")
    kind = models.CharField(max_length=5, choices=Kind)
    ref = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "kind", "ref"], name="incident_link_once")]
        indexes = [models.Index(fields=["kind", "ref"], name="incident_link_of")]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class Role(models.Model):
    """Who held a role besides the commander, from when to when."""

    class Name(models.TextChoices):
        COMMUNICATIONS = "communications", "Communications"
        SCRIBE = "scribe", "Scribe"
        RESPONDER = "responder", "Responder"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="roles")
    name = models.CharField(max_length=14, choices=Name)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["since"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "name", "user"], condition=Q(until=None), name="incident_role_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.user}"
