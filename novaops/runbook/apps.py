"""The runbook app."""

from django.apps import AppConfig


class RunbookConfig(AppConfig):
    """Actions, plans and runs; finds every declared action when the apps are ready."""

    name = "novaops.runbook"
    label = "runbook"

    def ready(self) -> None:
        """Import each file of every app's `actions` package, so that its actions register themselves."""
        from novaops.runbook import registry

        registry.autodiscover()
