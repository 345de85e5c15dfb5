"""AWS clients: a reader that retries, and a sender that sends exactly once with a last check before the wire."""

import json
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
from botocore.session import get_session

from novaops.cloud.errors import FAILURES, Fenced, classified, is_throttled
from novaops.environment import Environment

# FACTS G: the library's defaults of 60 s would hold a round or a worker; a sender must never retry by itself.
READER = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=8, max_pool_connections=20
)
SENDER = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=3, read_timeout=15)

_making = threading.Lock()
_counting = threading.Lock()
_sending = threading.local()


def read(environment: Environment, operation: str, **params: Any) -> dict[str, Any]:
    """Make the reading call `service:Operation` (`ecs:DescribeServices`). Raises an OutsideError."""
    service, _, name = operation.partition(":")
    try:
        return dict(getattr(_reader(environment, service), xform_name(name))(**params))
    except FAILURES as failure:
        raise classified(failure, operation) from failure


@dataclass(frozen=True)
class Operation:
    """One changing AWS call, `service:Operation` (`ecs:UpdateService`), that an effect sends.

    It is made in the environment's region, or in `region` where that is named.
    """

    name: str
    region: str = ""

    def __call__(
        self, environment: Environment, params: dict[str, Any], *, fence: Callable[[], bool], run_id: int
    ) -> dict[str, Any]:
        """Send exactly once on behalf of a run, no retries.

        `fence` is asked after signing, right before the bytes leave; where it answers False nothing is sent and
        Fenced is raised. Raises Refused, NotSent or Ambiguous by what a failure proves.
        """
        service, _, operation = self.name.partition(":")
        client = _sender(environment.in_region(self.region) if self.region else environment, service)
        _sending.fence, _sending.run_id = fence, run_id
        try:
            return dict(getattr(client, xform_name(operation))(**params))
        except FAILURES as failure:
            raise classified(failure, self.name) from failure

    def command_line(self, params: dict[str, Any]) -> str:
        """The same call for the AWS command line, quoted for a shell."""
        service, _, operation = self.name.partition(":")
        where = ["--region", self.region] if self.region else []
        return " ".join(["aws", service, xform_name(operation, "-"), *_options(params), *where])


def _options(params: dict[str, Any]) -> list[str]:
    return [part for key, value in params.items() for part in _option(f"--{xform_name(key, '-')}", value)]


def _option(flag: str, value: Any) -> list[str]:
    if value is True:
        return [flag]
    if value is False:
        return [flag.replace("--", "--no-", 1)]
    if isinstance(value, dict | list):
        return [flag, shlex.quote(json.dumps(value))]
    return [flag, shlex.quote(str(value))]


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The requests that AWS got from this process, repetitions counted, and how many it throttled or failed to answer.

    A refusal is an answer.
    """

    sent: int = 0
    throttled: int = 0
    failed: int = 0


_tallies: dict[str, Tally] = {}


def take_tally(environment: Environment) -> Tally:
    """What was counted in the environment since this was last asked."""
    with _counting:
        return _tallies.pop(environment.name, Tally())


def _count(name: str, parsed_response: dict[str, Any] | None, exception: Exception | None, **_: Any) -> None:
    if isinstance(exception, Fenced):
        return
    answer = parsed_response or {}
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    throttled = is_throttled(answer.get("Error", {}).get("Code", ""), status)
    failed = not throttled and (exception is not None or status >= 500)
    with _counting:
        before = _tallies.get(name, Tally())
        _tallies[name] = Tally(
            sent=before.sent + 1, throttled=before.throttled + throttled, failed=before.failed + failed
        )


def _reader(environment: Environment, service: str) -> Any:
    return _reading_client(environment.name, environment.region, environment.reader_role_arn, service)


def _sender(environment: Environment, service: str) -> Any:
    return _sending_client(environment.name, environment.region, environment.actor_role_arn, service)


@lru_cache(maxsize=64)
def _reading_client(environment: str, region: str, role_arn: str | None, service: str) -> Any:
    with _making:
        client = _session(region, role_arn, "novaops-reader").client(service, config=READER)
    client.meta.events.register("response-received", partial(_count, environment))
    return client


@lru_cache(maxsize=64)
def _sending_client(environment: str, region: str, role_arn: str | None, service: str) -> Any:
    with _making:
        client = _session(region, role_arn, "novaops-actor").client(service, config=SENDER)
    client.meta.events.register("request-created", _name_the_run)
    client.meta.events.register("before-send", _ask_the_fence)
    client.meta.events.register("response-received", partial(_count, environment))
    return client


def prepare(environment: Environment, services: tuple[str, ...]) -> None:
    """Make the clients of these services before the first call needs them: each takes about a tenth of a second."""
    for service in services:
        _reader(environment, service)
        _sender(environment, service)


def _name_the_run(request: Any, **_: Any) -> None:
    """CloudTrail keeps the user agent: it names the run, so that a late effect finds its run."""
    agent = request.headers["User-Agent"]
    request.headers.replace_header("User-Agent", f"{agent} novaops/run-{_sending.run_id}")


def _ask_the_fence(event_name: str, **_: Any) -> None:
    if not _sending.fence():
        raise Fenced(event_name)


@lru_cache(maxsize=1)
def _descriptions() -> Any:
    """What botocore knows of services and endpoints: megabytes, unpacked once for all sessions."""
    return get_session().get_component("data_loader")


@lru_cache(maxsize=16)
def _session(region: str, role_arn: str | None, name: str) -> boto3.Session:
    """A session of the role, refreshing by itself, or of the process's own credentials where no role is declared."""
    core = get_session()
    core.register_component("data_loader", _descriptions())
    if not role_arn:
        return boto3.Session(botocore_session=core, region_name=region)
    sts = _session(region, None, name).client("sts", config=READER)
    refresh = create_assume_role_refresher(sts, {"RoleArn": role_arn, "RoleSessionName": name})
    # Private to botocore, and the only way there is to give a session the refreshing credentials of a role.
    core._credentials = DeferredRefreshableCredentials(method="sts-assume-role", refresh_using=refresh)
    return boto3.Session(botocore_session=core, region_name=region)
