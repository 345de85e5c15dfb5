"""The styles and scripts of every page as one file each: joined from their parts when static files are collected."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

# In the order in which a browser reads them.
BUNDLES = {
    "app/page.css": ("app/tokens.css", "app/layout.css", "app/components.css", "app/work.css"),
    "app/page.js": ("vendor/idiomorph-ext.min.js", "app/ops.js", "app/drawer.js", "app/palette.js", "app/notices.js"),
}
# A script that ends without a semicolon must not run into the next one.
BETWEEN = {".css": b"\n", ".js": b"\n;\n"}


class Joined(Storage):
    """The joined files, which nobody writes down before they are collected."""

    def _open(self, name: str, _mode: str = "rb") -> "ContentFile[bytes]":
        return ContentFile(BETWEEN[Path(name).suffix].join(part.read_bytes() for part in _parts(name)), name)

    def exists(self, name: str) -> bool:
        return name in BUNDLES

    def path(self, _name: str) -> str:
        """There is no file of its own; this module says what it is made of."""
        return __file__

    def get_modified_time(self, name: str) -> datetime:
        newest = max(path.stat().st_mtime for path in (*_parts(name), Path(__file__)))
        return datetime.fromtimestamp(newest, UTC)


class BundleFinder(BaseFinder):
    """Finds the joined files for those who collect; there is nothing for who wants a path."""

    storage = Joined()

    def find(self, path: str, **_: Any) -> list[str]:  # type: ignore[override]
        return []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Joined]]:
        """Every joined file."""
        for path in BUNDLES:
            yield path, self.storage


def _parts(name: str) -> list[Path]:
    return [Path(settings.BASE_DIR) / "static" / part for part in BUNDLES[name]]
