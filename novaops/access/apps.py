"""The access app."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Roles, grants and the rules of sessions."""

    name = "novaops.access"
    label = "access"
