"""What a failed call to the outside proves: nothing happened, nothing was sent, or nobody knows."""

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "APICallRateForCustomerExceeded",
        "SlowDown",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})


class OutsideError(Exception):
    """A call to the outside failed; the message is a sentence that is safe to show."""

    def __init__(self, sentence: str, *, code: str = "", request_id: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.request_id = request_id


class Refused(OutsideError):
    """The other side understood and declined (4xx): nothing happened, and asking again will not help."""


class NotSent(OutsideError):
    """The call did not take effect and may be made again: throttled, or no connection was made.

    `retry_after_s` is how long the other side asks to wait; None where it does not say.
    """

    def __init__(
        self, sentence: str, *, code: str = "", request_id: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(sentence, code=code, request_id=request_id)
        self.retry_after_s = retry_after_s


class Ambiguous(OutsideError):
    """The call may or may not have taken effect: 5xx, a timeout or a broken connection after sending."""

    @property
    def answered(self) -> bool:
        """Whether the other side answered for all that: its code is an HTTP status, not the name of an exception."""
        return self.code.isdigit()


class Fenced(Exception):
    """The lease was lost between preparing and sending: nothing was sent, another worker is at it."""


def classified(failure: Exception, operation: str) -> OutsideError:
    """What a botocore failure of `operation` (`ecs:UpdateService`) proves."""
    if isinstance(failure, ClientError):
        return _from_answer(failure, operation)
    if isinstance(failure, EndpointConnectionError | ConnectTimeoutError):
        return NotSent(f"{operation}: AWS could not be reached", code=type(failure).__name__)
    if isinstance(failure, NoCredentialsError | ParamValidationError):
        return Refused(f"{operation}: {failure}", code=type(failure).__name__)
    return Ambiguous(f"{operation}: no clear answer from AWS ({type(failure).__name__})", code=type(failure).__name__)


def is_throttled(code: str, status: int) -> bool:
    """Whether AWS declined because it was asked too often."""
    return code in THROTTLED or status == 429


def _from_answer(failure: ClientError, operation: str) -> OutsideError:
    answer: dict[str, Any] = dict(failure.response)
    meta = answer.get("ResponseMetadata", {})
    code, message = answer.get("Error", {}).get("Code", ""), answer.get("Error", {}).get("Message", "")
    status, request_id = meta.get("HTTPStatusCode", 0), meta.get("RequestId", "")
    if is_throttled(code, status):
        return NotSent(f"{operation}: AWS is throttling ({code})", code=code, request_id=request_id)
    if code in DENIED:
        return Refused(f"{operation}: the role lacks this permission ({code})", code=code, request_id=request_id)
    if 400 <= status < 500:
        return Refused(f"{operation}: {code}: {message}", code=code, request_id=request_id)
    return Ambiguous(f"{operation}: AWS answered {status} {code}", code=code, request_id=request_id)


FAILURES = (ClientError, BotoCoreError)
