"""The backups app."""

from django.apps import AppConfig


class BackupsConfig(AppConfig):
    """Registers the backups app."""

    name = "backups"
