"""The journal: every change asked of the simulated world, so that the next start finds the world where it was left."""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from novaops.sandbox.world import world


class Journal:
    """An append-only file of JSON lines; the first says how the world began. Without a path nothing is kept."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file: TextIO | None = None

    def keep_in(self, path: Path) -> None:
        """Use this file."""
        self.close()
        self._path = path

    def read(self) -> Iterator[dict[str, Any]]:
        """Every entry, oldest first, with `at` as a time. A line torn by a crash ends the journal and is dropped."""
        if self._path is None or not self._path.exists():
            return
        whole = 0
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                entry = json.loads(line)
                yield entry | {"at": datetime.fromisoformat(entry["at"])}
        os.truncate(self._path, whole)

    def begin(self, *, seed: int, factor: float) -> None:
        """Start over: the world of this seed begins now."""
        self.close()
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(b"")
        self.open()
        self.write("world", seed=seed, factor=factor)

    def open(self) -> None:
        """Entries written from now on are kept."""
        if self._path is not None:
            self._file = self._path.open("a", encoding="utf-8")

    def write(self, kind: str, **entry: Any) -> None:
        """Append one entry at the world's time, and hand it to the operating system before the change happens."""
        if self._file is None:
            return
        self._file.write(json.dumps({"at": world.now().isoformat(), "kind": kind, **entry}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Entries written from now on are not kept: while an earlier world is replayed."""
        if self._file is not None:
            self._file.close()
            self._file = None


journal = Journal()
