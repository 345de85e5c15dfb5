"""The chain as CSV and as JSON Lines, streamed, with nothing a spreadsheet would run."""

import csv
import json
from collections.abc import Iterable, Iterator

from novaops.audit.models import Entry

COLUMNS = (
    *("seq", "at", "actor", "via", "verb", "subject", "environment", "reason"),
    *("incident", "run", "detail_json", "prev_hash", "hash"),
)
# What makes a spreadsheet compute a cell (ASVS 1.2.10).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


class _Echo:
    """A file for csv.writer that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def as_csv(entries: Iterable[Entry]) -> Iterator[str]:
    """The chain as RFC 4180 lines, the header first."""
    return csv_lines(COLUMNS, (_values(entry) for entry in entries))


def csv_lines(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """RFC 4180 lines of any table; a cell that a spreadsheet would compute begins with an apostrophe."""
    writer = csv.writer(_Echo())
    yield str(writer.writerow(columns))
    for row in rows:
        yield str(writer.writerow(_harmless(value) for value in row))


def as_json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """One JSON object a line, with the very values that were hashed."""
    for entry in entries:
        yield json.dumps(dict(zip(COLUMNS, _values(entry), strict=True))) + "\n"


def _values(entry: Entry) -> list[str | int | None]:
    return [entry.at.isoformat() if name == "at" else getattr(entry, name) for name in COLUMNS]


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip(" ").startswith(FORMULA) else text
