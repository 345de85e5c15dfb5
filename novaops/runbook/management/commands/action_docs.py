"""manage.py action_docs: write the generated pages of docs/, or check that they are what the code declares."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from novaops.runbook import documents


class Command(BaseCommand):
    """docs/actions.md and docs/runbook-map.md come from the catalogue and are never edited."""

    help = "Write docs/actions.md and docs/runbook-map.md; with --check only tell whether they are current."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is not current")

    def handle(self, *args: Any, **options: Any) -> None:
        pages = documents.pages()
        stale = {path: text for path, text in pages.items() if not path.is_file() or path.read_text("utf-8") != text}
        names = ", ".join(str(path.relative_to(settings.BASE_DIR)) for path in stale)
        if options["check"]:
            if stale:
                raise CommandError(f"Not what the code declares: {names}. Run manage.py action_docs.")
            return
        for path, text in stale.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.stdout.write(f"Written: {names}" if stale else "Every page is current.")
