"""The dashboard app."""

from django.apps import AppConfig
from django.core.checks import register

from dashboard import services


class DashboardConfig(AppConfig):
    """Registers the dashboard app and finds the services it watches."""

    name = "dashboard"

    def ready(self) -> None:
        """Find the services, check what nova.toml says of their rules, and tell people of alerts."""
        services.autodiscover()
        from dashboard import telling
        from dashboard.checks import rules_exist, secrets_are_long

        register(rules_exist)
        register(secrets_are_long)
        telling.connect()
