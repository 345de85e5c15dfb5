"""The dashboard app."""

from django.apps import AppConfig
from django.core.checks import register

from dashboard import services


class DashboardConfig(AppConfig):
    """Registers the dashboard app and finds the services it watches."""

    name = "dashboard"

    def ready(self) -> None:
        """Find the services, then check what nova.toml says of their rules."""
        services.autodiscover()
        from dashboard.checks import rules_exist

        register(rules_exist)
