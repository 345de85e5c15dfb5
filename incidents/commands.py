"""What the composer of the room understands: a note, or a slash command."""

import re
from dataclasses import dataclass

from incidents.severity import SEVERITIES

HELP = "Write a note, or /note text, /sev 2 reason, /role commander name, /update text."


@dataclass(frozen=True, kw_only=True)
class Note:
    text: str


@dataclass(frozen=True, kw_only=True)
class Update:
    """What people outside the room were told."""

    text: str


@dataclass(frozen=True, kw_only=True)
class SetSeverity:
    severity: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class SetRole:
    role: str
    username: str


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """Not understood; `sentence` says what is."""

    sentence: str


Command = Note | Update | SetSeverity | SetRole | Unknown


def parse(text: str) -> Command:
    """The command that was typed. A text without a leading slash is a note."""
    text = text.strip()
    if not text.startswith("/"):
        return Note(text=text)
    word, _, rest = text[1:].partition(" ")
    rest = rest.strip()
    if word == "note" and rest:
        return Note(text=rest)
    if word == "update" and rest:
        return Update(text=rest)
    if word == "sev":
        return _severity(rest)
    if word == "role":
        return _role(rest)
    return Unknown(sentence=f"/{word} is not understood. {HELP}")


def _severity(rest: str) -> Command:
    match = re.fullmatch(r"(?:sev)?([1-4])(?:\s+(.*))?", rest, re.IGNORECASE | re.DOTALL)
    if not match:
        return Unknown(sentence=f"Name one of {', '.join(SEVERITIES)}, for example /sev 2 many customers affected.")
    return SetSeverity(severity=f"SEV{match[1]}", reason=match[2] or "")


def _role(rest: str) -> Command:
    words = rest.split()
    if len(words) != 2:
        return Unknown(sentence="Name the role and the person, for example /role scribe grace.")
    return SetRole(role=words[0].lower(), username=words[1].lstrip("@"))
