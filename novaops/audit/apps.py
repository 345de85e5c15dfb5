"""The audit app."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The append-only chain of what was decided and done."""

    name = "novaops.audit"
    label = "audit"
