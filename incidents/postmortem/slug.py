"""The file name of a post-mortem: `YYYY-MM-DD-<slug>.md`.

The slug is the title in ASCII (accents dropped), lower case, every other run of characters one hyphen, at most
MAX_LENGTH characters cut at a hyphen where there is one. A title without any ASCII letter or digit becomes `incident`.
A name that belongs to another incident gets `-2`, `-3` and so on.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date

MAX_LENGTH = 60
EMPTY = "incident"
FILE_NAME = re.compile(r"\d{4}-\d{2}-\d{2}-[a-z0-9]+(-[a-z0-9]+)*\.md")


def slug(title: str) -> str:
    """The title as the part of a file name; never empty, never longer than MAX_LENGTH."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode("ascii").lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return _cut(words) or EMPTY


def _cut(words: str) -> str:
    if len(words) <= MAX_LENGTH:
        return words
    head, separator, _ = words[: MAX_LENGTH + 1].rpartition("-")
    return head if separator and head else words[:MAX_LENGTH]


def names(started: date, title: str) -> Iterator[str]:
    """File names in the order in which they are tried."""
    stem = f"{started:%Y-%m-%d}-{slug(title)}"
    yield f"{stem}.md"
    number = 2
    while True:
        yield f"{stem}-{number}.md"
        number += 1
