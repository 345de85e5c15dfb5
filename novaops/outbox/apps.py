"""The outbox app."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """Messages to the world outside, their delivery and their pages."""

    name = "novaops.outbox"
    label = "outbox"
