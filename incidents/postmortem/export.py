"""Writes a post-mortem into its folder: atomically, never over another incident's file, never outside of the folder."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from incidents.postmortem.slug import FILE_NAME


class OutsideFolder(Exception):
    """The configured folder leads out of NOVAOPS_POSTMORTEM_ROOT, for example through a symbolic link."""


def directory(root: Path, folder: str) -> Path:
    """The folder under `root`, made where it is missing. Raises OutsideFolder where it would lie elsewhere."""
    base = root.resolve()
    found = (base / folder).resolve()
    if not found.is_relative_to(base):
        raise OutsideFolder(f"{folder} leads out of {base}: correct postmortems.folder in nova.toml.")
    found.mkdir(parents=True, exist_ok=True)
    return found


def write(folder: Path, names: Iterator[str], text: str, *, ours: Callable[[str, str], bool]) -> str:
    """Write `text` under the first name that is free or ours, and return that name.

    `ours(name, text_there)` decides whether an existing file may be replaced. A reader sees the old file or the new
    one, never a part; two writers at once never take the same free name.
    """
    draft = _draft(folder, text)
    try:
        name = next(name for name in names if _placed(draft, folder, name, ours))
    finally:
        draft.unlink(missing_ok=True)
    _sync(folder)
    return name


def _placed(draft: Path, folder: Path, name: str, ours: Callable[[str, str], bool]) -> bool:
    if not FILE_NAME.fullmatch(name):
        raise OutsideFolder(f"{name!r} is not a file name of a post-mortem.")
    path = folder / name
    try:
        os.link(draft, path)
    except FileExistsError:
        if path.is_symlink() or not path.is_file() or not ours(name, path.read_text("utf-8", "replace")):
            return False
        draft.replace(path)
    return True


def _draft(folder: Path, text: str) -> Path:
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".draft")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            os.fchmod(descriptor, 0o644)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
