"""manage.py iam_policy: print the least-privilege IAM policy of a declared environment."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from novaops import environment as environments
from novaops.runbook import iam


class Command(BaseCommand):
    """Two roles are better than one: the reader's for looking, the actor's for sending; without a flag both in one."""

    help = "Print the IAM policy that NovaOps needs, from what its collectors read and its actions declare."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--environment", help="the first declared one where none is named")
        role = parser.add_mutually_exclusive_group()
        role.add_argument("--reader", action="store_true", help="only what looks")
        role.add_argument("--actor", action="store_true", help="only what changes")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["environment"]
        environment = environments.get(name) if name else environments.default()
        if environment is None:
            raise CommandError(f"There is no environment {name!r}.", returncode=2)
        wanted: set[str] = set()
        if not options["actor"]:
            wanted |= iam.reader_permissions(environment)
        if not options["reader"]:
            wanted |= iam.actor_permissions(environment)
        self.stdout.write(json.dumps(iam.policy(environment, wanted), indent=2))
