"""The incidents app."""

from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """Incidents listen to alerts and runs, and show themselves on every page."""

    name = "incidents"

    def ready(self) -> None:
        """Connect the receivers and register the strip with the overview."""
        from dashboard import overview
        from incidents import receivers, strip

        overview.incident_strips.append(strip.of)
        receivers.connect()
