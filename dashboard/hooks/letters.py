"""What every sender's messages have in common: bounded, strict JSON, and a refusal that tells the sender nothing."""

import hmac
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

# The two joiners, which scripts and emoji are written with.
JOINERS = "\u200c\u200d"
AHEAD = timedelta(minutes=5)


class Refused(Exception):
    """A message is not taken. The sender learns the status; the reason is for the administrator alone."""

    def __init__(self, why: str, status: int = 401) -> None:
        super().__init__(why)
        self.status = status


class Unreadable(ValueError):
    """A verified message does not say what its kind of message says; the text names what is missing."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A verified message: who sent it, by which name it is known, and of which environment it speaks."""

    source: str
    ident: str
    environment: str


def document(body: bytes) -> dict[str, Any]:
    """The JSON object in the body. Raises Unreadable: for what is none, too deep, or names a field twice."""
    try:
        found = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except Unreadable:
        raise
    except (ValueError, RecursionError) as failure:
        raise Unreadable(f"it is not JSON ({type(failure).__name__})") from failure
    if not isinstance(found, dict):
        raise Unreadable("it is not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("it names a field twice")
    return found


def _no_constant(name: str) -> None:
    raise Unreadable(f"{name} is not JSON")


def field(found: dict[str, Any], *path: str) -> Any:
    """The value at a path of objects, None where there is none."""
    value: Any = found
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: Any, longest: int, *, needed: str = "") -> str:
    """A text on one line, cut at `longest`; empty where it is none. With `needed`, its name, Unreadable is raised.

    What cannot be shown is a space: control characters, marks that reorder text on screen, code points that are none.
    """
    shown = (one if one.isprintable() or one in JOINERS else " " for one in value) if isinstance(value, str) else ()
    found = " ".join("".join(shown).split())[:longest]
    if needed and not found.strip(JOINERS):
        raise Unreadable(f"{needed} is missing")
    return found


def number(value: Any) -> float | None:
    """A finite number, None where it is none."""
    return float(value) if type(value) in (int, float) and abs(value) < 1e15 and math.isfinite(value) else None


def instant(value: Any, name: str, now: datetime) -> datetime:
    """An ISO 8601 time with its zone, never ahead of now. Raises Unreadable."""
    try:
        found = datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) and len(value) < 40 else None
    except (ValueError, OverflowError) as failure:
        raise Unreadable(f"{name} is not a time") from failure
    if found is None or datetime.fromisoformat(str(value)).tzinfo is None or found > now + AHEAD:
        raise Unreadable(f"{name} is not a time with its zone, or ahead of now")
    return min(found, now)


def signed_by(secrets: Iterable[bytes], message: bytes, header: str) -> bool:
    """Whether one of the signatures `v1=<hex>[,v1=<hex>]` is the HMAC-SHA256 of the message by one of the secrets."""
    offered = [part.strip() for part in header.split(",", 8)[:8]]
    signatures = [part.removeprefix("v1=").encode() for part in offered if part.startswith("v1=")]
    good = False
    for secret in secrets:
        expected = hmac.new(secret, message, sha256).hexdigest().encode()
        # No way out early: the time of an answer does not tell which of them came close.
        for signature in signatures:
            good |= hmac.compare_digest(expected, signature)
    return good
