"""How our own operations attach to moto: plain functions of the request's parameters, errors by their code."""

from collections.abc import Callable, Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

REGION = "eu-west-1"
ACCOUNT = "123456789012"

Params = dict[str, Any]
Handler = Callable[[Params], dict[str, Any]]
RegionHandler = Callable[[str, Params], dict[str, Any]]


class AwsError(ServiceException):  # type: ignore[misc]
    """An error answer of AWS: its code (not always the name of the exception class, FACTS G), message and status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status


def arn(service: str, resource: str) -> str:
    """The ARN of a resource in the sandbox's region and account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def attach(response: type[BaseResponse], *handlers: Handler) -> None:
    """Let each handler answer the operation it is named after, in snake case, on moto's response class.

    Only Nova's region is simulated: in every other one moto answers as it always did. Attaching again changes nothing.
    """
    for handler in handlers:
        before = getattr(response, handler.__name__, None)
        if getattr(before, "handler", None) is not handler:
            setattr(response, handler.__name__, _method(handler, before))


def attach_abroad(response: type[BaseResponse], *handlers: RegionHandler) -> None:
    """Let each handler, which is told the region, answer its operation in every region but Nova's.

    To be called after `attach` of the same operations; again it changes nothing.
    """
    for handler in handlers:
        at_home = getattr(response, handler.__name__)
        if getattr(at_home, "abroad", None) is not handler:
            setattr(response, handler.__name__, _abroad(handler, at_home))


def _abroad(handler: RegionHandler, at_home: Callable[[BaseResponse], Any]) -> Callable[[BaseResponse], Any]:
    def respond(self: BaseResponse) -> Any:
        if self.region == REGION:
            return at_home(self)
        return ActionResult(handler(self.region, parameters(self)))

    respond.handler = getattr(at_home, "handler", None)  # type: ignore[attr-defined]
    respond.abroad = handler  # type: ignore[attr-defined]
    return respond


def _method(handler: Handler, before: Callable[[BaseResponse], Any] | None) -> Callable[[BaseResponse], Any]:
    def respond(self: BaseResponse) -> Any:
        if before is not None and self.region != REGION:
            return before(self)
        return ActionResult(handler(parameters(self)))

    respond.handler = handler  # type: ignore[attr-defined]
    return respond


def parameters(response: BaseResponse) -> Params:
    """The parameters of the request as boto3 spells them, whatever the protocol."""
    response.parse_parameters(response.normalized_request)
    spelled: Params = _plain(response.params)
    return spelled


def _plain(value: Any) -> Any:
    """Plain dicts and lists, with the original names where moto keeps others beside them (RDS)."""
    if hasattr(value, "original_dict"):
        value = value.original_dict()
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
