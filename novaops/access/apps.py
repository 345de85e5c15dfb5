"""The access app."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    """Roles, grants and the rules of sessions."""

    name = "novaops.access"
    label = "access"

    def ready(self) -> None:
        """Let every migrated database have the declared roles; hear of changed factors."""
        from novaops.access import factors  # noqa: F401 - its receivers

        post_migrate.connect(_ensure_roles, sender=self)


def _ensure_roles(*, using: str, **_: Any) -> None:
    """Create the roles that are missing with their grants; a role that exists keeps what an administrator changed."""
    from django.contrib.auth.models import Group

    from novaops.access.models import Grant
    from novaops.access.policy import ROLES

    for role, verbs in ROLES.items():
        group, created = Group.objects.using(using).get_or_create(name=role)
        if created:
            Grant.objects.using(using).bulk_create(Grant(group=group, verb=verb.value) for verb in sorted(verbs))
