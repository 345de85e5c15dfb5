"""The runbook app."""

from django.apps import AppConfig


class RunbookConfig(AppConfig):
    """Actions, plans and runs; finds every declared action when the apps are ready, and has tasks sent by Celery."""

    name = "novaops.runbook"
    label = "runbook"

    def ready(self) -> None:
        """Import each file of every app's `actions` package, so that its actions register themselves.

        The Celery application is loaded here and not by `novaops` itself: the programs of the sandbox need none.
        """
        from novaops import celery as celery
        from novaops.runbook import registry

        registry.autodiscover()
