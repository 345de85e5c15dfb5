"""One round over the backups by hand: what was asked, what was kept, what failed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import collect
from novaops import environment as declared
from novaops.words import counted


class Command(BaseCommand):
    help = "Read the backups of an environment once (of the first declared where none is named)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("environment", nargs="?", default="")

    def handle(self, *_args: Any, **options: Any) -> None:
        name = options["environment"]
        environment = declared.get(name) if name else declared.default()
        if environment is None:
            known = ", ".join(declared.environments())
            raise CommandError(f"nova.toml declares no environment {name!r}. Declared: {known}.")
        done = collect.collect(environment, early=True)
        if done is None:
            raise CommandError(f"Another collector is at {environment.name}: try again in a moment.")
        self.stdout.write(
            f"{environment.name}: {counted(done.databases, 'database')}, {counted(done.snapshots, 'snapshot')}"
        )
        for sentence in done.failed:
            self.stdout.write(f"  failed: {sentence}")
