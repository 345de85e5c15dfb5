"""The incidents app."""

from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """Registers the incidents app."""

    name = "incidents"
