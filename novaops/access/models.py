"""Grants: which role may do what in which environment."""

from django.contrib.auth.models import Group
from django.db import models

EVERYWHERE = "*"


class Grant(models.Model):
    """One verb that the members of a group may use in an environment (`*`: in all of them)."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="grants")
    environment = models.CharField(max_length=40, default=EVERYWHERE)
    verb = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "environment", "verb"], name="grant_once")]

    def __str__(self) -> str:
        return f"{self.group} may {self.verb} in {self.environment}"
