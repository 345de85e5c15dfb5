"""Where Nova's DATABASE_URL stands in Secrets Manager or Parameter Store: whither it points, and pointing elsewhere.

The value itself stays within this module: what is told, sent by name, recorded or raised has its host and version only.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from novaops.cloud import aws
from novaops.cloud.errors import OutsideError, Refused
from novaops.environment import Environment, UrlPlace

PUT_SECRET = aws.Operation("secretsmanager:PutSecretValue")
MOVE_STAGE = aws.Operation("secretsmanager:UpdateSecretVersionStage")
PUT_PARAMETER = aws.Operation("ssm:PutParameter")
CURRENT = "AWSCURRENT"
HOST = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(:\d{1,5})?")
HIDDEN = "(hidden)"
Fence = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """A version of the value, as much of it as may be shown."""

    version: str
    host: str


def pointer(environment: Environment, place: UrlPlace, version: str = "") -> Pointer:
    """Whither the value points, now or in an earlier version. Raises an OutsideError without the value in it."""
    found, number = _read(environment, place, version)
    return Pointer(version=number, host=host_of(_inner(found, place.key)))


def host_of(value: str) -> str:
    """The host that a value points at. Raises Refused where it is neither an address nor a host."""
    if "://" in value:
        return _parts(value).hostname or ""
    whole = HOST.fullmatch(value)
    if whole is None:
        raise Refused("The value is neither a URL nor a host, so that it cannot be pointed elsewhere", code="FORM")
    return whole[1]


def pointed(value: str, host: str, port: int) -> str:
    """The value with another host and port, all else as it was. Raises Refused as host_of does."""
    if "://" not in value:
        host_of(value)
        return f"{host}:{port}" if ":" in value else host
    parts = _parts(value)
    account, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{account}{at}{host}:{port}"))


def _parts(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        named = parts.hostname
    except ValueError:
        named = None
    if not named:
        raise Refused("The URL names no host, so that it cannot be pointed elsewhere", code="FORM")
    return parts


def _read(environment: Environment, place: UrlPlace, version: str) -> tuple[str, str]:
    """The whole value and its version."""
    if place.kind == "secret":
        wanted = {"VersionId": version} if version else {"VersionStage": CURRENT}
        answer = aws.read(environment, "secretsmanager:GetSecretValue", SecretId=place.name, **wanted)
        return str(answer.get("SecretString", "")), str(answer["VersionId"])
    name = f"{place.name}:{version}" if version else place.name
    found = aws.read(environment, "ssm:GetParameter", Name=name, WithDecryption=True)["Parameter"]
    return str(found["Value"]), str(found["Version"])


def _inner(whole: str, key: str | None) -> str:
    """The value inside of the document, where it is one."""
    if not key:
        return whole
    document = _document(whole)
    if not isinstance(document.get(key), str):
        raise Refused(f"The secret has no key {key}", code="MISSING")
    return str(document[key])


def _document(whole: str) -> dict[str, Any]:
    try:
        document = json.loads(whole)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Refused("The secret is not a JSON document, though nova.toml names a key in it", code="FORM") from None
    return document


def _changed(whole: str, key: str | None, host: str, port: int) -> str:
    """The whole value, its address pointed elsewhere."""
    value = pointed(_inner(whole, key), host, port)
    return json.dumps({**_document(whole), key: value}) if key else value


@dataclass(frozen=True)
class PointSecret:
    """Gives a secret a new version with another host in it; a Sender.

    Its parameters never hold the value: `SecretId`, `Key`, `FromVersion`, `Host`, `Port`, and `ClientRequestToken`,
    which is the new version's id and lets AWS know a repetition.
    """

    name: str = PUT_SECRET.name

    def __call__(
        self, environment: Environment, params: dict[str, Any], *, fence: Fence, run_id: int
    ) -> dict[str, Any]:
        """Read that version, which never changes, and send its changed copy exactly once."""
        place = UrlPlace(kind="secret", name=params["SecretId"], key=params["Key"] or None)
        whole, _ = _read(environment, place, params["FromVersion"])
        sent = {
            "SecretId": params["SecretId"],
            "ClientRequestToken": params["ClientRequestToken"],
            "SecretString": _changed(whole, place.key, params["Host"], params["Port"]),
        }
        return _sent(PUT_SECRET, environment, sent, "SecretString", fence, run_id)

    def command_line(self, params: dict[str, Any]) -> str:
        """The same by AWS CLI: the changed value comes from standard input, not from the command line."""
        return (
            f"aws secretsmanager put-secret-value --secret-id {params['SecretId']}"
            f" --client-request-token {params['ClientRequestToken']} --secret-string file:///dev/stdin"
            f"  # version {params['FromVersion']} with the host {params['Host']}:{params['Port']}"
        )


@dataclass(frozen=True)
class PointParameter:
    """Gives a parameter a new version: an earlier one with another host in it, or as it was; a Sender.

    Its parameters never hold the value: `Name`, `FromVersion`, and `Host` and `Port`, or neither.
    """

    name: str = PUT_PARAMETER.name

    def __call__(
        self, environment: Environment, params: dict[str, Any], *, fence: Fence, run_id: int
    ) -> dict[str, Any]:
        """Read that version, which never changes, and send its copy exactly once."""
        place = UrlPlace(kind="parameter", name=params["Name"])
        whole, _ = _read(environment, place, params["FromVersion"])
        value = pointed(whole, params["Host"], params["Port"]) if params.get("Host") else whole
        return _sent(
            PUT_PARAMETER,
            environment,
            {"Name": params["Name"], "Value": value, "Overwrite": True},
            "Value",
            fence,
            run_id,
        )

    def command_line(self, params: dict[str, Any]) -> str:
        """The same by AWS CLI: the value comes from standard input, not from the command line."""
        host = f" with the host {params['Host']}:{params['Port']}" if params.get("Host") else " as it was"
        return (
            f"aws ssm put-parameter --name {params['Name']} --overwrite --value file:///dev/stdin"
            f"  # version {params['FromVersion']}{host}"
        )


def _sent(
    operation: aws.Operation, environment: Environment, params: dict[str, Any], secret: str, fence: Fence, run_id: int
) -> dict[str, Any]:
    """Send, and let no failure carry the value away: botocore quotes what it finds wrong."""
    try:
        return operation(environment, params, fence=fence, run_id=run_id)
    except OutsideError as failure:
        sentence = str(failure).replace(params[secret], HIDDEN)
        raise type(failure)(sentence, code=failure.code, request_id=failure.request_id) from None


POINT_SECRET = PointSecret()
POINT_PARAMETER = PointParameter()
