"""Everything of a new sandbox that needs Django, in one process: tables, static files, accounts."""

import hashlib
import json
import os
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from novaops.sandbox import seed

MANIFEST = "staticfiles.json"
FINGERPRINT = ".sources"


def main() -> None:
    """Migrate, collect what changed, and make the accounts that are missing."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "novaops.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    collect_static(Path(settings.STATIC_ROOT))
    seed.accounts()


def collect_static(target: Path) -> None:
    """Collect and compress the static files, unless they are those of the last time."""
    known, now = target / FINGERPRINT, fingerprint()
    if known.exists() and (target / MANIFEST).exists() and known.read_text() == now:
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=target.exists())
    known.write_text(now)


def fingerprint() -> str:
    """Changes where a static file came, went or was changed."""
    sources = []
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            sources.append((path, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(json.dumps(sorted(sources)).encode()).hexdigest()


if __name__ == "__main__":
    main()
