"""What is made of log lines: a CloudWatch pattern and an Insights query from what somebody typed, groups of errors."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from novaops.cloud.logs import Line

LONGEST_MESSAGE = 1000
ERRORS = re.compile(r"error|exception|fatal|panic|traceback|too many connections|\b5\d\d\b", re.IGNORECASE)
# As CloudWatch's patterns know no upper and lower case: how programs write it.
ERROR_PATTERN = "?ERROR ?Error ?error ?FATAL ?Fatal ?fatal ?Exception ?exception ?panic ?Traceback ?connections"
SECRETS = (
    (re.compile(r"://[^/\s@]*@"), "://…@"),
    (re.compile(r"(?i)\b(bearer|password|passwd|secret|token|api[_-]?key)(\"?\s*[=: ]\s*\"?)[^\s\",}]+"), r"\1\2…"),
)
# What differs between two lines of the same error, in this order.
VARYING = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b0x[0-9a-f]+\b|\b[0-9a-f]{12,}\b|\"[^\"]*\"|'[^']*'|\d+(?:[.:]\d+)*", re.IGNORECASE
)
WORDS_OF_JSON = ("message", "msg", "error", "err")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Lines that say the same but for numbers and names: how many, from when until when, and the latest of them."""

    pattern: str
    number: int
    first_at: datetime
    last_at: datetime
    example: str


def shown(message: str) -> str:
    """The line as it may be kept and shown: without passwords and tokens, and not endless."""
    for secret, instead in SECRETS:
        message = secret.sub(instead, message)
    return message.rstrip() if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"


def is_error(line: Line) -> bool:
    """Whether the line tells of an error."""
    return bool(ERRORS.search(line.message))


def groups(lines: Iterable[Line]) -> list[Group]:
    """The errors among the lines, those of the same pattern together, the most frequent first."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if is_error(line):
            found.setdefault(pattern_of(line.message), []).append(line)
    made = [
        Group(
            pattern=pattern,
            number=len(same),
            first_at=min(line.at for line in same),
            last_at=max(line.at for line in same),
            example=shown(max(same, key=lambda line: line.at).message),
        )
        for pattern, same in found.items()
    ]
    return sorted(made, key=lambda group: (-group.number, group.pattern))


def pattern_of(message: str) -> str:
    """What of a line stays the same each time."""
    return " ".join(VARYING.sub("#", _words(message)).split())[:200]


def _words(message: str) -> str:
    """Of a line that is JSON, what it says; others as they are."""
    try:
        told = json.loads(message)
    except ValueError:
        return message
    words = [str(told[name]) for name in WORDS_OF_JSON if told.get(name)] if isinstance(told, dict) else []
    return " ".join(words) or message


def filter_pattern(text: str, *, only_errors: bool) -> str:
    """The CloudWatch filter pattern for a text as it stands, or else for errors: both at once it cannot express."""
    if text:
        return f'"{_quoted(text)}"'
    return ERROR_PATTERN if only_errors else ""


def insights_query(text: str, *, only_errors: bool) -> str:
    """The same for Logs Insights, which finds both at once."""
    wanted = [f'@message like "{_quoted(text)}"'] if text else []
    wanted += ["@message like /(?i)(error|exception|fatal|panic|traceback|connections)/"] if only_errors else []
    filters = "".join(f" | filter {one}" for one in wanted)
    return f"fields @timestamp, @logStream, @message{filters} | sort @timestamp desc"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
