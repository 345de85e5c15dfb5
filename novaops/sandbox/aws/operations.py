"""How simulated operations attach to moto: functions from parameters to answers, run under the world's lock."""

import copy
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.core.errors import COMMON_ERROR_CODES
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from novaops.sandbox.world import world

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
PAGE_MIN, PAGE_MAX = 20, 100

Wire = dict[str, Any]
Operation = Callable[[Wire], Wire]


class Refusal(ServiceException):  # type: ignore[misc]
    """The error document of an operation that AWS would refuse: `Refusal(code, message)`."""


def attach(response: type, operations: Iterable[Operation]) -> None:
    """Put each operation in place of moto's, under its own name. Doing it again changes nothing.

    Only Nova's region is simulated: in every other one moto answers as it always did.
    """
    for operation in operations:
        before = getattr(response, operation.__name__, None)
        if getattr(before, "operation", None) is not operation:
            setattr(response, operation.__name__, _method(operation, before))


def withdraw(response: type, names: Iterable[str]) -> None:
    """Let moto's operations of these names refuse: they work on a model that does not know Nova's resources."""
    if "InvalidAction" not in COMMON_ERROR_CODES:
        COMMON_ERROR_CODES.append("InvalidAction")
    for name in names:
        attach(response, [_unknown(name)])


def page(items: Sequence[Wire], params: Wire, name: str) -> Wire:
    """One page of a describe operation: at most MaxRecords items under `name`, and the Marker of the next page."""
    size = int(params.get("MaxRecords") or PAGE_MAX)
    if not PAGE_MIN <= size <= PAGE_MAX:
        raise Refusal("InvalidParameterValue", f"Invalid value {size} for MaxRecords. Must be between 20 and 100")
    try:
        start = int(params.get("Marker") or 0)
    except ValueError:
        raise Refusal("InvalidParameterValue", "The request included an invalid marker") from None
    answer: Wire = {name: list(items[start : start + size])}
    if start + size < len(items):
        answer["Marker"] = str(start + size)
    return answer


def arn(service: str, resource: str) -> str:
    """The ARN of a resource in Nova's account and region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def aware(moment: datetime | None) -> datetime | None:
    """A timestamp parameter as aware UTC: moto hands it over naive."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def is_true(value: object) -> bool:
    """A boolean parameter, whichever form moto parsed it to."""
    return str(value).lower() == "true"


def _method(operation: Operation, before: Callable[..., Any] | None) -> Callable[..., Any]:
    def method(self: Any) -> Any:
        if self.region != REGION and before is not None:
            return before(self)
        with world.lock:
            return ActionResult(copy.deepcopy(operation(_plain(self.params))))

    method.operation = operation  # type: ignore[attr-defined]
    return method


def _unknown(name: str) -> Operation:
    def refuse(_: Wire) -> Wire:
        raise Refusal("InvalidAction", f"The sandbox does not simulate {name}.")

    refuse.__name__ = name
    return refuse


def _plain(value: Any) -> Any:
    """Parameters as plain dicts and lists with their names as in the AWS API."""
    if hasattr(value, "original_dict"):
        value = value.original_dict()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
