"""Starts what the measurements need, takes them one after the other, and prints their figures."""

import os
import sys

import django
from django.core.management import call_command

from tests.servers import Nova, Shared


def main(names: list[str]) -> None:
    """The named measurements, or all, against a PostgreSQL and a Redis of its own."""
    shared, nova = Shared(), None
    try:
        shared.start()
        nova = Nova()
        nova.set_environment()
        os.environ["DJANGO_SETTINGS_MODULE"] = "novaops.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        from tests.bench import audit, backups, click, history, hooks, incidents, overview, polls

        measurements = {
            "click": lambda: click.figures(nova),
            "audit": audit.figures,
            "overview": overview.figures,
            "polls": lambda: polls.figures(nova),
            "history": history.figures,
            "hooks": hooks.figures,
            "incidents": incidents.figures,
            "backups": backups.figures,
        }
        for name in names or measurements:
            for line in measurements[name]():
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
    finally:
        if nova:
            nova.stop()
        shared.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
