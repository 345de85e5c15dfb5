"""How a document writes moments: in UTC, and in brackets as the clocks of a declared time zone showed them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def utc(at: datetime | None) -> str:
    """The moment in UTC; blank where it is not known."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def local(at: datetime | None, zone: str) -> str:
    """The same moment there, in brackets: with its date only where that is another day, and which time was in force."""
    if at is None or not zone:
        return ""
    there = at.astimezone(ZoneInfo(zone))
    day = "" if there.date() == at.astimezone(UTC).date() else f"{there:%Y-%m-%d} "
    return f" ({day}{there:%H:%M:%S %Z})"


def cell(at: datetime | None, zone: str) -> str:
    """As a table has it, whose head says UTC."""
    return f"{utc(at)}{local(at, zone)}"


def said(at: datetime | None, zone: str) -> str:
    """As a sentence has it."""
    return f"{utc(at)} UTC{local(at, zone)}" if at else "a time that is not known"
