"""Foreign text made harmless in CommonMark, GFM tables, links, fences and YAML front matter.

Titles, notes, alert and log lines are written by people and machines outside; none of them may end a table row, open
a link, start a heading, carry HTML or close the front matter.
"""

import json
import re
import unicodedata
from urllib.parse import quote, urlsplit

# Line breaks, control characters and the marks that reorder text on screen.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
SPECIAL = re.compile(r"([\\`*_\[\]~$])")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
ENTITY = re.compile(r"[&<>|]")
BLOCK_START = re.compile(r"^([#+=-])")
LIST_START = re.compile(r"^(\d{1,9})([.)])")
# GFM turns bare addresses into links; an entity in the middle keeps them text.
BARE_LINK = ((re.compile(r"://"), "&#58;//"), (re.compile(r"(?i)(www)\."), r"\1&#46;"))
# GitHub looks for mail addresses in the text after entities are read: only another node in between keeps them text.
MAIL = re.compile(r"(?<=[\w.+-])@(?=\w)")
STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
SAFE_IN_URL = "/:?&=#%+,;@~-._!"


def clean(text: str) -> str:
    """One line of printable text: control characters and line breaks become single spaces, lone surrogates go."""
    text = text.encode("utf-8", "ignore").decode("utf-8")
    return " ".join(unicodedata.normalize("NFC", CONTROL.sub(" ", text)).split())


def inline(text: str) -> str:
    """Text that CommonMark and GFM show as it is, at any place in a line, in a table cell or at a line's start."""
    text = SPECIAL.sub(r"\\\1", clean(text))
    text = ENTITY.sub(lambda match: ENTITIES[match[0]], text)
    for pattern, replacement in BARE_LINK:
        text = pattern.sub(replacement, text)
    text = MAIL.sub("@<!-- -->", text)
    return LIST_START.sub(r"\1\\\2", BLOCK_START.sub(r"\\\1", text))


def link(text: str, url: str) -> str:
    """A link to an http(s) address or a path of this installation; anything else stays text."""
    label = inline(text)
    if not url or urlsplit(url).scheme not in ("http", "https", "") or url.startswith(("//", "\\")):
        return label
    url = STRAY_PERCENT.sub("%25", url)
    return f"[{label}]({quote(url, safe=SAFE_IN_URL).replace('&', '&amp;')})"


def fence(text: str, language: str = "text") -> str:
    """A fenced code block of lines that cannot close it themselves."""
    lines = [
        CONTROL.sub(" ", line.replace("\t", "    ")) for line in text.encode("utf-8", "ignore").decode().splitlines()
    ]
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    bar = "`" * max(3, longest + 1)
    return "\n".join([f"{bar}{language}", *lines, bar])


def row(cells: list[str]) -> str:
    """One table row of cells that are already markdown (`inline` or `link`)."""
    return f"| {' | '.join(cells)} |"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A GFM table; its cells are already markdown."""
    return "\n".join([row(head), row(["---"] * len(head)), *(row(cells) for cells in rows)])


def yaml_string(text: str) -> str:
    """A double-quoted YAML scalar: JSON's escapes are YAML's, and `clean` leaves only what YAML may print."""
    return json.dumps(clean(text), ensure_ascii=False)
