"""manage.py token_revoke: let a bearer token be refused from now on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from novaops.access import operator, tokens
from novaops.access.models import Token


class Command(BaseCommand):
    """Takes the id: the eight characters between the underscores of the token."""

    help = "Revoke a bearer token by its id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="the eight characters after nova_")

    def handle(self, *args: Any, **options: Any) -> None:
        token = Token.objects.select_related("owner").filter(public_id=options["id"]).first()
        if token is None:
            raise CommandError(f"There is no token {options['id']!r}.", returncode=2)
        tokens.revoke(token, by=operator.own_account())
        self.stdout.write(f"Token {token} of {token.owner.get_username()} is revoked.")
