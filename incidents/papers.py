"""What belongs to a post-mortem besides its text: unsaved drafts, reviews by a second person, and waivers."""

from django.contrib.auth.models import User
from django.db import models
from django.db.models import F, Q


class Draft(models.Model):
    """What somebody typed and has not saved: theirs alone, kept until they save or discard it."""

    postmortem = models.ForeignKey("incidents.Postmortem", on_delete=models.CASCADE, related_name="drafts")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    # The version that they had opened.
    version = models.PositiveIntegerField()
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["postmortem", "user"], name="one_draft_a_person")]

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
