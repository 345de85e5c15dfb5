"""How our own operations attach to moto: plain functions of the request's parameters, errors by their code."""

from collections.abc import Callable
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

REGION = "eu-west-1"
ACCOUNT = "123456789012"

Params = dict[str, Any]
Handler = Callable[[Params], dict[str, Any]]


class AwsError(ServiceException):  # type: ignore[misc]
    """An error answer of AWS: its code (not always the name of the exception class, FACTS G), message and status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status


def arn(service: str, resource: str) -> str:
    """The ARN of a resource in the sandbox's region and account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def attach(response: type[BaseResponse], *handlers: Handler) -> None:
    """Let each handler answer the operation it is named after, in snake case, on moto's response class."""
    for handler in handlers:
        setattr(response, handler.__name__, _method(handler))


def _method(handler: Handler) -> Callable[[BaseResponse], ActionResult]:
    def respond(self: BaseResponse) -> ActionResult:
        return ActionResult(handler(parameters(self)))

    return respond


def parameters(response: BaseResponse) -> Params:
    """The parameters of the request as boto3 spells them, whatever the protocol."""
    response.parse_parameters(response.normalized_request)
    return dict(response.params)
