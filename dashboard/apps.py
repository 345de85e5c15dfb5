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
        from dashboard import api, telling
        from dashboard.checks import rules_exist, secrets_are_long
        from novaops.runbook.api import api as engine_api

        register(rules_exist)
        register(secrets_are_long)
        telling.connect()
        engine_api.add_router("", api.router)
