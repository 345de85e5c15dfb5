"""What RDS, ElastiCache and the fleet share: pages, flags, timestamps, identifiers, and what is not simulated."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import BaseResponse

from novaops.sandbox.aws.wire import AwsError, Handler, Params, attach
from novaops.sandbox.world import world

ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
PAGE_MIN, PAGE_MAX = 20, 100

Document = dict[str, Any]
"""A structure of an answer, its members spelled as in the API."""


def page(items: Sequence[Document], params: Params, name: str) -> Document:
    """One page of a describe operation: at most MaxRecords items under `name`, and the Marker of the next page."""
    size = int(params.get("MaxRecords") or PAGE_MAX)
    if not PAGE_MIN <= size <= PAGE_MAX:
        raise AwsError("InvalidParameterValue", f"Invalid value {size} for MaxRecords. Must be between 20 and 100")
    try:
        start = int(params.get("Marker") or 0)
    except ValueError:
        raise AwsError("InvalidParameterValue", "The request included an invalid marker") from None
    answer: Document = {name: list(items[start : start + size])}
    if start + size < len(items):
        answer["Marker"] = str(start + size)
    return answer


def aware(moment: datetime | None) -> datetime | None:
    """A timestamp parameter as aware UTC: moto hands it over naive."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def is_true(value: object) -> bool:
    """A boolean parameter, whichever form moto parsed it to."""
    return str(value).lower() == "true"


def uuid() -> str:
    """A reproducible identifier in the form of a UUID."""
    digits = world.hex_id(32)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def withdraw(response: type[BaseResponse], names: Iterable[str]) -> None:
    """Let moto's operations of these names be unknown: they work on a model that does not know Nova's resources."""
    attach(response, *(_unknown(name) for name in names))


def _unknown(name: str) -> Handler:
    def refuse(_: Params) -> Document:
        raise NotImplementedError(name)

    refuse.__name__ = name
    return refuse
