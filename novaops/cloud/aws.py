"""AWS clients: readers that retry, and a sender that sends exactly once with a last check before the wire."""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
from botocore.session import get_session

from novaops.cloud.errors import FAILURES, Fenced, classified
from novaops.environment import Environment

# FACTS G: library defaults are 60 s; a dashboard must know sooner.
READER = Config(
    retries={"mode": "standard", "total_max_attempts": 2},
    connect_timeout=2,
    read_timeout=8,
    max_pool_connections=20,
)
SENDER = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=3, read_timeout=15)

_making = threading.Lock()


@lru_cache(maxsize=64)
def reader(environment: Environment, service: str) -> Any:
    """A client of `service` for reading: short timeouts, one retry, shared by the threads of this process."""
    with _making:
        return _session(environment, environment.reader_role_arn, "novaops-reader").client(
            service, region_name=environment.region, config=READER
        )


def _session(environment: Environment, role_arn: str | None, name: str) -> Any:
    if not role_arn:
        return boto3.Session(region_name=environment.region)
    core = get_session()
    sts = boto3.Session(region_name=environment.region).client("sts", config=READER)
    # Private to botocore, and the only way there is to give a session refreshing credentials of a role.
    core._credentials = DeferredRefreshableCredentials(  # type: ignore[attr-defined]
        method="sts-assume-role",
        refresh_using=create_assume_role_refresher(sts, {"RoleArn": role_arn, "RoleSessionName": name}),
    )
    return boto3.Session(botocore_session=core, region_name=environment.region)


def read(environment: Environment, operation: str, **params: Any) -> dict[str, Any]:
    """Make the reading call `service:Operation` (`ecs:DescribeServices`). Raises an OutsideError."""
    service, _, name = operation.partition(":")
    client = reader(environment, service)
    try:
        return dict(getattr(client, _method(name))(**params))
    except FAILURES as failure:
        raise classified(failure, operation) from failure


def send(
    environment: Environment,
    operation: str,
    params: dict[str, Any],
    *,
    fence: Callable[[], bool],
    run_id: int,
) -> dict[str, Any]:
    """Make the changing call `service:Operation` exactly once, no retries, on behalf of a run.

    `fence` is asked after signing, right before the bytes leave; where it answers False nothing is sent and
    Fenced is raised. Raises Refused, NotSent or Ambiguous by what a failure proves.
    """
    service, _, name = operation.partition(":")
    config = SENDER.merge(Config(user_agent_extra=f"novaops/run-{run_id}"))
    with _making:
        session = _session(environment, environment.actor_role_arn, f"novaops-run-{run_id}")
        client = session.client(service, region_name=environment.region, config=config)

    def check(**_: Any) -> None:
        if not fence():
            raise Fenced(operation)

    client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}.{name}", check)
    try:
        return dict(getattr(client, _method(name))(**params))
    except FAILURES as failure:
        raise classified(failure, operation) from failure
    finally:
        client.close()


def _method(operation: str) -> str:
    """boto3's name of an API operation: DescribeDBInstances -> describe_db_instances."""
    from botocore import xform_name

    return str(xform_name(operation))
