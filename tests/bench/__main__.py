"""Starts what the measurements need, takes them one after the other, and prints their figures."""

import os
import sys

import django
from django.core.management import call_command

from tests.servers import Nova, Shared


def main() -> None:
    """Every measurement, against a PostgreSQL and a Redis of its own."""
    shared = Shared()
    try:
        shared.start()
        nova = Nova()
        nova.set_environment()
        os.environ["DJANGO_SETTINGS_MODULE"] = "novaops.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        from tests.bench import overview

        for line in overview.figures():
            sys.stdout.write(f"{line}\n")
    finally:
        shared.stop()


if __name__ == "__main__":
    main()
