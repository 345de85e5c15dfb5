"""manage.py token_create: make a bearer token for the API and show it once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from novaops.access import operator, tokens
from novaops.access.models import TOKEN_DAYS, Scope


class Command(BaseCommand):
    """Prints the token alone on standard output, so that it can be piped into a secret store."""

    help = "Make a bearer token in the name of an account. It is shown once; only its hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the account it belongs to; it can never do more than that account")
        parser.add_argument("--name", required=True, help="what it is for")
        parser.add_argument("--scope", action="append", required=True, choices=Scope.values, help="may be repeated")
        parser.add_argument("--days", type=int, default=30, help=f"how long it lives, 1 to {TOKEN_DAYS} days")
        parser.add_argument("--network", action="append", default=[], help="a CIDR range it may be used from")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = operator.account(options["user"])
        try:
            token, text = tokens.create(
                owner,
                name=options["name"],
                scopes=options["scope"],
                days=options["days"],
                networks=options["network"],
                by=operator.own_account(),
            )
        except tokens.Invalid as failure:
            raise CommandError(str(failure), returncode=2) from failure
        self.stderr.write(f"Token {token.public_id} lives until {token.expires_at:%Y-%m-%d %H:%M} UTC. Shown once:")
        self.stdout.write(text)
