"""The dashboard app."""

from django.apps import AppConfig

from dashboard import services


class DashboardConfig(AppConfig):
    """Registers the dashboard app and finds the services it watches."""

    name = "dashboard"

    def ready(self) -> None:
        services.autodiscover()
