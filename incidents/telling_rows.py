"""What incidents keep about the people they tell: their incident at PagerDuty, and who is who in Slack."""

from django.contrib.auth.models import User
from django.db import models


class Elsewhere(models.Model):
    """What the incident is called at PagerDuty, where a person said so; alerts from there bring it by themselves."""

    incident = models.OneToOneField("incidents.Incident", on_delete=models.PROTECT, related_name="elsewhere")
    pagerduty = models.CharField(max_length=60)

    def __str__(self) -> str:
        return self.pagerduty


class SlackPerson(models.Model):
    """Which account of NovaOps a member of the Slack workspace has."""

    slack_user = models.CharField(max_length=20, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    added_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["user__username"]

    def __str__(self) -> str:
        return f"{self.slack_user} is {self.user}"
