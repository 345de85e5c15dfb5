"""manage.py audit_verify: walk the chain and name the first broken entry."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from novaops.audit import chain


class Command(BaseCommand):
    """Exit 0 with the head's hash where the chain holds, exit 1 naming the first entry that does not."""

    help = "Verify the audit chain from the first entry to the last."

    def handle(self, *args: Any, **options: Any) -> None:
        found = chain.verify()
        if found.broken_seq is not None:
            raise CommandError(
                f"The chain breaks at entry {found.broken_seq}: {found.reason}. {found.entries} entries hold before it."
            )
        self.stdout.write(f"{found.entries} entries hold. Head {found.head_hash}")
