"""manage.py role USER ROLE: give an account its role; `--remove` takes it away. Both are in the audit."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from novaops.access.policy import ROLES
from novaops.audit import chain


class Command(BaseCommand):
    """Changes which role an account has; what a role may do is in the policy."""

    help = "Give an account a role: viewer, responder, commander or admin."

    def add_arguments(self, parser: CommandParser) -> None:
        """The account, the role, and whether it is taken away."""
        parser.add_argument("user", help="the account's name")
        parser.add_argument("role", choices=sorted(ROLES))
        parser.add_argument("--remove", action="store_true", help="take the role away")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['user']!r}. Nothing changed.")
        group, verb = Group.objects.get(name=options["role"]), "removed" if options["remove"] else "given"
        with transaction.atomic():
            change = user.groups.remove if options["remove"] else user.groups.add
            change(group)
            chain.record(f"role.{verb}", by=None, via="cli", subject=f"{user.username}: {group.name}")
        self.stdout.write(f"{group.name} {verb}: {user.username}")
