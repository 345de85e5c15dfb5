"""The dashboard app."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Registers the dashboard app."""

    name = "dashboard"
