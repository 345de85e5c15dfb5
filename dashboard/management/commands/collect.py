"""One round of collection by hand: what was asked, what was kept, what failed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard import collect
from novaops import environment as declared


class Command(BaseCommand):
    help = "Make one round of collection over an environment (the first declared where none is named)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("environment", nargs="?", default="")
        parser.add_argument("--environment", dest="named", default="", help="the same, as an option")

    def handle(self, *_args: Any, **options: Any) -> None:
        name = options["named"] or options["environment"]
        environment = declared.get(name) if name else declared.default()
        if environment is None:
            known = ", ".join(declared.environments())
            raise CommandError(f"nova.toml declares no environment {name!r}. Declared: {known}.")
        done = collect.collect(environment, early=True)
        if done is None:
            raise CommandError(f"Another collector is at {environment.name}: try again in a moment.")
        took_s = (done.finished_at - done.started_at).total_seconds()
        self.stdout.write(f"{environment.name}: {done.sources} sources, {done.samples} samples, {took_s:.2f} s")
        for sentence in done.failed:
            self.stdout.write(f"  failed: {sentence}")
