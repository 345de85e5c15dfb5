"""What is written after an incident: follow-ups, the post-mortem with its versions, drafts, reviews, and waivers."""

from datetime import date, timedelta

from django.contrib.auth.models import User
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class FollowUp(models.Model):
    """A piece of work that came out of an incident."""

    class Kind(models.TextChoices):
        PREVENT = "prevent", "Prevent"
        DETECT = "detect", "Detect earlier"
        MITIGATE = "mitigate", "Mitigate faster"
        PROCESS = "process", "Process"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        DROPPED = "dropped", "Dropped"

    incident = models.ForeignKey("incidents.Incident", on_delete=models.PROTECT, related_name="follow_ups")
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.PREVENT)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    due = models.DateField(null=True, blank=True)
    state = models.CharField(max_length=7, choices=State, default=State.OPEN)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)
    # The due date that people were reminded of; another one is reminded of again.
    reminded_of = models.DateField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["state", "due"], name="follow_up_due")]

    def __str__(self) -> str:
        return self.title

    @property
    def owned(self) -> bool:
        """Whether it has an owner who may still sign in."""
        return self.owner is not None and self.owner.is_active

    def is_late(self, today: date) -> bool:
        return self.state == self.State.OPEN and self.due is not None and self.due < today

    @classmethod
    def late(cls, today: date) -> models.Q:
        """What `is_late` says of each, for queries."""
        return models.Q(state=cls.State.OPEN, due__lt=today)


class Postmortem(models.Model):
    """The document of an incident. `version` grows with each saved text; an editor names the one it started from."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        REVIEW = "review", "In review"
        PUBLISHED = "published", "Published"

    class Commit(models.TextChoices):
        NONE = "", "None"
        WAITING = "waiting", "Waiting"
        DONE = "done", "Committed"
        FAILED = "failed", "Failed"

    incident = models.OneToOneField("incidents.Incident", on_delete=models.PROTECT, related_name="postmortem")
    text = models.TextField()
    version = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    generated_at = models.DateTimeField()
    due_at = models.DateTimeField()
    # Relative to the environment's folder; once chosen it stays, whatever the title becomes.
    file_name = models.CharField(max_length=120, blank=True)
    folder = models.CharField(max_length=200, blank=True)
    exported_at = models.DateTimeField(null=True)
    exported_version = models.PositiveIntegerField(null=True)
    published_at = models.DateTimeField(null=True)
    published_version = models.PositiveIntegerField(null=True)
    # Which kind of contributing factor mattered most, as people judged it (`postmortem.factors.Factor`).
    factor = models.CharField(max_length=14, blank=True)
    # The exported version as a commit, where a repository is configured; the sentence says why it failed.
    commit_state = models.CharField(max_length=7, choices=Commit, default=Commit.NONE, blank=True)
    commit_version = models.PositiveIntegerField(null=True)
    commit_sha = models.CharField(max_length=64, blank=True)
    commit_path = models.CharField(max_length=320, blank=True)
    commit_sentence = models.TextField(blank=True)
    # How many of the reminders that it is due were given.
    reminded = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["folder", "file_name"], condition=~Q(file_name=""), name="postmortem_file_once"
            )
        ]

    def __str__(self) -> str:
        return f"Post-mortem of {self.incident}, version {self.version}"

    @property
    def path(self) -> str:
        """Where it was exported to, relative to NOVAOPS_POSTMORTEM_ROOT; empty before."""
        return f"{self.folder}/{self.file_name}" if self.file_name else ""

    @property
    def overdue(self) -> bool:
        return self.owed and self.due_at < timezone.now()

    @property
    def owed(self) -> bool:
        """Whether none of its versions was published yet."""
        return self.state != self.State.PUBLISHED and self.published_at is None

    @classmethod
    def owing(cls) -> models.Q:
        """What `owed` says of each, for queries."""
        return models.Q(published_at=None) & ~models.Q(state=cls.State.PUBLISHED)

    @property
    def due_soon(self) -> bool:
        """Whether it is due within a day and never was published."""
        return self.owed and self.due_at < timezone.now() + timedelta(days=1)

    @property
    def newer_than_export(self) -> bool:
        return self.exported_version != self.version


class PostmortemVersion(models.Model):
    """One saved text of a post-mortem, kept."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    text = models.TextField()
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    generated = models.BooleanField(default=False)

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["postmortem", "version"], name="postmortem_version_once")]

    def __str__(self) -> str:
        return f"Version {self.version}"


class Draft(models.Model):
    """What somebody typed in one tab and has not saved: theirs alone, kept until they save or discard it."""

    postmortem = models.ForeignKey("incidents.Postmortem", on_delete=models.CASCADE, related_name="drafts")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    # The version that they had opened.
    version = models.PositiveIntegerField()
    text = models.TextField()
    at = models.DateTimeField()
    # The editor's page that it was typed in: two of one person's never overwrite each other.
    tab = models.CharField(max_length=36, blank=True)

    class Meta:
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["postmortem", "user", "tab"], name="one_draft_a_tab")]

    def __str__(self) -> str:
        return f"Draft of {self.user} upon version {self.version}"


class Review(models.Model):
    """One version read by a second person: never by who wrote it, nor by who asked for it."""

    class Verdict(models.TextChoices):
        WAITING = "waiting", "Waiting for a second person"
        APPROVED = "approved", "Approved"
        CHANGES = "changes", "Changes asked for"
        WITHDRAWN = "withdrawn", "Withdrawn: the text changed"

    postmortem = models.ForeignKey("incidents.Postmortem", on_delete=models.PROTECT, related_name="reviews")
    version = models.PositiveIntegerField()
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    verdict = models.CharField(max_length=9, choices=Verdict, default=Verdict.WAITING)
    comment = models.TextField(blank=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(reviewer=F("author")) & ~Q(reviewer=F("requested_by")),
                name="nobody_reviews_their_own_text",
            ),
            models.CheckConstraint(
                condition=~Q(verdict__in=["approved", "changes"]) | Q(reviewer__isnull=False, decided_at__isnull=False),
                name="a_verdict_has_a_reviewer",
            ),
            models.UniqueConstraint(
                fields=["postmortem"], condition=Q(verdict="waiting"), name="one_waiting_review_a_postmortem"
            ),
        ]

    def __str__(self) -> str:
        return f"Review of version {self.version}: {self.verdict}"


class Waiver(models.Model):
    """Why an incident of little severity gets no post-mortem."""

    incident = models.OneToOneField("incidents.Incident", on_delete=models.PROTECT, related_name="waiver")
    reason = models.TextField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Waived: {self.reason}"
