"""The AWS side of the sandbox's HTTP server: every call under the world's lock, journalled, recorded, with faults."""

import json
import logging
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from moto.core.responses import ActionResult, BaseResponse, OperationNotFoundError
from moto.moto_api._internal import mock_random
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from novaops.sandbox.aws.wire import AwsError, parameters
from novaops.sandbox.faults import BEFORE, Fault, effects, faults
from novaops.sandbox.journal import journal
from novaops.sandbox.world import world

Answer = tuple[int, dict[str, Any], Any]
log = logging.getLogger(__name__)

READS = ("Describe", "List", "Get", "Filter", "Lookup", "AssumeRole", "StartQuery", "StopQuery")
# What a service says about itself changes nothing in the world, and would fill the journal; nor do passing messages.
TELEMETRY = {"PutMetricData", "PutLogEvents", "CreateLogGroup", "CreateLogStream"}
MESSAGES = {"Publish", "SendMessage", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"}
# Marks a request of the past in its environ: what faults did to its answer then is over.
REPLAYED = "novaops.sandbox.replayed"
KEPT_HEADERS = ("Content-Type", "X-Amz-Target", "User-Agent", "Host")


def application() -> DomainDispatcherApplication:
    """The WSGI application that answers for every AWS service."""
    return DomainDispatcherApplication(create_backend_app)


def install() -> None:
    """Stand between moto's servers and their callers. Once per process."""
    original = BaseResponse.call_action
    BaseResponse.call_action = lambda self: _answer(self, original)


def changes(operation: str) -> bool:
    """Whether a call of the operation changes the world."""
    return not operation.startswith(READS) and operation not in TELEMETRY | MESSAGES


def replay(entry: dict[str, Any], aws: DomainDispatcherApplication) -> None:
    """Make the journalled request again, as it was received."""
    builder = EnvironBuilder(
        method=entry["method"], path=entry["path"], headers=entry["headers"], data=entry["body"].encode()
    )
    run_wsgi_app(aws, builder.get_environ() | {REPLAYED: True}, buffered=True)


def _answer(response: BaseResponse, original: Callable[[BaseResponse], Answer]) -> Answer:
    service, operation = response.boto3_service_name, str(response._get_action())
    replayed = REPLAYED in response.normalized_request.environ
    fault = None if replayed else faults.take(service, operation)
    if fault and fault.prevents:
        return _prevented(response, operation, fault)
    with world.lock, world.at(world.now()):
        world.advance()
        answer = _performed(response, operation, original)
        _record(response, operation, answer, fault)
    return _spoilt(response, answer, fault) if fault else answer


def _performed(response: BaseResponse, operation: str, original: Callable[[BaseResponse], Answer]) -> Answer:
    if changes(operation):
        journal.write("request", **_raw(response))
        mock_random.seed(world.hex_id(16))
    try:
        return original(response)
    except (NotImplementedError, OperationNotFoundError):
        return _refused(response, AwsError("InvalidAction", f"The sandbox does not know {operation}.", 501))
    except Exception:
        log.exception("The sandbox failed at %s", operation)
        return _refused(response, AwsError("InternalFailure", f"The sandbox failed at {operation}.", 500))


def _prevented(response: BaseResponse, operation: str, fault: Fault) -> Answer:
    json_code, query_code, status = BEFORE[fault.kind]
    code = query_code if response.normalized_request.form else json_code
    answer = _refused(response, AwsError(code, f"Simulated fault: {fault.kind}.", status))
    _record(response, operation, answer, fault)
    return answer


def _spoilt(response: BaseResponse, answer: Answer, fault: Fault) -> Answer:
    """The answer as the caller gets it although the effect took place."""
    if fault.kind == "hang":
        time.sleep(fault.seconds)
        return answer
    if fault.kind == "drop-after":
        connection = response.normalized_request.environ["werkzeug.socket"]
        connection.shutdown(socket.SHUT_RDWR)
        return answer
    return _refused(response, AwsError("InternalFailure", "Simulated fault: error-after.", 500))


def _refused(response: BaseResponse, error: AwsError) -> Answer:
    status, headers, body = response.serialized(ActionResult(error))
    status = error.status if error.status != 400 else status
    return status, headers | {"status": str(status), "x-amzn-requestid": _new_request_id()}, body


def _new_request_id() -> str:
    """An identifier for an answer that moto did not make; drawn apart, so that no other identifier depends on it."""
    return f"sandbox-{time.time_ns():x}"


def _record(response: BaseResponse, operation: str, answer: Answer, fault: Fault | None) -> None:
    if not changes(operation):
        return
    status, headers, body = answer
    entry = {
        "at": world.now().isoformat(),
        "service": response.boto3_service_name,
        "operation": operation,
        "params": _readable(response),
        "user_agent": response.headers.get("User-Agent", ""),
        "request_id": _request_id(headers),
        "outcome": "ok" if int(status) < 300 else _code(str(body)),
    }
    effects.record(entry | ({"fault": fault.kind} if fault else {}))


def _request_id(headers: dict[str, Any]) -> str:
    return next((str(value) for name, value in headers.items() if name.lower() == "x-amzn-requestid"), "")


def _readable(response: BaseResponse) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(json.dumps(parameters(response), default=str))
    except (OperationNotFoundError, NotImplementedError):
        return {}
    return found


def _code(body: str) -> str:
    """The error code in an error document, JSON or XML."""
    if body.startswith("{"):
        document = json.loads(body)
        return str(document.get("__type", "Unknown")).rpartition("#")[2]
    _, _, rest = body.partition("<Code>")
    return rest.partition("</Code>")[0] or "Unknown"


def _raw(response: BaseResponse) -> dict[str, Any]:
    """The request as it must be made again, without its signature."""
    request = response.normalized_request
    headers = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
    headers["Authorization"] = request.headers.get("Authorization", "").partition(",")[0]
    body = request.get_data(as_text=True) or urlencode(list(request.form.items(multi=True)))
    return {"method": request.method, "path": request.full_path, "headers": headers, "body": body}
