"""The styles and scripts of every page as one file each: joined from their parts when static files are collected."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

# In the order in which a browser reads them.
BUNDLES = {
    "app/page.css": ("app/tokens.css", "app/layout.css", "app/components.css", "app/work.css"),
    "app/page.js": ("vendor/idiomorph-ext.min.js", "app/ops.js", "app/drawer.js", "app/palette.js", "app/notices.js"),
}
# A script that ends without a semicolon must not run into the next one.
BETWEEN = {".css": b"\n", ".js": b"\n;\n"}


class BundleFinder(BaseFinder):
    """Finds the joined files, written anew where a part has changed."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self.storage = FileSystemStorage(location=settings.BASE_DIR / "var" / "bundles")

    def find(self, path: str, find_all: bool = False, **_: Any) -> str | list[str]:  # type: ignore[override]
        """The file of that name, where it is one of ours."""
        if path not in BUNDLES:
            return []
        found = str(self._written(path))
        return [found] if find_all else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        """Every joined file."""
        for path in BUNDLES:
            self._written(path)
            yield path, self.storage

    def _written(self, path: str) -> Path:
        joined, target = _joined(path), Path(self.storage.path(path))
        if not target.exists() or target.read_bytes() != joined:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Whoever reads or writes it at the same moment sees one whole file or the other.
            part = target.with_name(f".{target.name}.{os.getpid()}")
            part.write_bytes(joined)
            part.replace(target)
        return target


def _joined(path: str) -> bytes:
    root = Path(settings.BASE_DIR) / "static"
    return BETWEEN[Path(path).suffix].join((root / part).read_bytes() for part in BUNDLES[path])
