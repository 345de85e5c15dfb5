"""manage.py audit_verify: walk the chain and name the first broken entry."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from novaops.audit import chain


class Command(BaseCommand):
    """Exit 0 with the head's hash where the chain holds, exit 1 naming the first entry that does not."""

    help = "Verify the audit chain from the first entry to the last."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--anchor`: a head that was published outside, to notice a chain whose end was cut off."""
        parser.add_argument("--anchor", metavar="SEQ:HASH", help="a published head that the chain must still contain")

    def handle(self, *args: Any, **options: Any) -> None:
        found = chain.verify()
        if found.broken_seq is not None:
            raise CommandError(
                f"The chain breaks at entry {found.broken_seq}: {found.reason}. {found.entries} entries hold before it."
            )
        anchor = options["anchor"]
        if anchor and not chain.contains(*_parsed(anchor)):
            raise CommandError(f"The chain does not contain the published head {anchor}: its end was cut or rewritten.")
        self.stdout.write(f"{found.entries} entries hold. Head {found.head_hash}")


def _parsed(anchor: str) -> tuple[int, str]:
    seq, _, digest = anchor.partition(":")
    if not seq.isdecimal() or not digest:
        raise CommandError(f"{anchor!r} is no published head: use SEQ:HASH as the log has it.")
    return int(seq), digest
