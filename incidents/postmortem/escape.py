"""Foreign text made harmless in CommonMark, GFM tables, links, fences and YAML front matter.

Titles, notes, alert and log lines are written by people and machines outside; none of them may end a table row, open
a link, start a heading, carry HTML or close the front matter.
"""

import json
import re
import unicodedata
from urllib.parse import quote, urlsplit

from incidents.postmortem.markers import MARKER

# Line breaks, control characters and the marks that reorder text on screen.
CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ufffe\uffff]"
)
# What takes no room on screen; the two joiners stay, which scripts and emoji are written with.
INVISIBLE = re.compile(
    r"[\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0]"
    r"|[\U000e0000-\U000e007f]"
)
SPECIAL = re.compile(r"([\\`*_\[\]~$])")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
ENTITY = re.compile(r"[&<>|]")
BLOCK_START = re.compile(r"^([#+=-])")
# A heading takes the number signs at its end for its own.
HEADING_END = re.compile(r"(#+)$")
LIST_START = re.compile(r"^(\d{1,9})([.)])")
# GFM turns bare addresses into links; an entity in the middle keeps them text.
BARE_LINK = ((re.compile(r"://"), "&#58;//"), (re.compile(r"(?i)(www)\."), r"\1&#46;"))
# GitHub looks for mail addresses in the text after entities are read: only another node in between keeps them text.
MAIL = re.compile(r"(?<=[\w.+-])@(?=\w)")
STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
SAFE_IN_URL = "/:?&=#%+,;@~-._!"


def clean(text: str) -> str:
    """One line of printable text: control characters and line breaks are single spaces, what nobody sees goes."""
    text = INVISIBLE.sub("", text.encode("utf-8", "ignore").decode("utf-8"))
    return " ".join(unicodedata.normalize("NFC", CONTROL.sub(" ", text)).split())


def on_one_line(text: str) -> str:
    """Text of several lines with a mark where each of them ends."""
    return " · ".join(line.strip() for line in text.splitlines() if line.strip())


def inline(text: str) -> str:
    """Text that CommonMark and GFM show as it is, at any place in a line, in a table cell or at a line's start."""
    text = SPECIAL.sub(r"\\\1", clean(text))
    text = ENTITY.sub(lambda match: ENTITIES[match[0]], text)
    for pattern, replacement in BARE_LINK:
        text = pattern.sub(replacement, text)
    text = HEADING_END.sub(lambda match: match[1].replace("#", r"\#"), MAIL.sub("@<!-- -->", text))
    return LIST_START.sub(r"\1\\\2", BLOCK_START.sub(r"\\\1", text))


def link(text: str, url: str) -> str:
    """A link to an http(s) address or a path of this installation; anything else stays text."""
    label = inline(text)
    if not url or urlsplit(url).scheme not in ("http", "https", "") or url.startswith(("//", "\\")):
        return label
    url = STRAY_PERCENT.sub("%25", url)
    return f"[{label}]({quote(url, safe=SAFE_IN_URL).replace('&', '&amp;')})"


def _unmarked(line: str) -> str:
    return f" {line}" if line.startswith(MARKER) else line


def fence(text: str, language: str = "text") -> str:
    """A fenced code block of lines that cannot close it themselves, nor pass for a marker of the document."""
    lines = [
        _unmarked(CONTROL.sub(" ", line.replace("\t", "    ")))
        for line in INVISIBLE.sub("", text.encode("utf-8", "ignore").decode()).splitlines()
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
