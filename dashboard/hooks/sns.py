"""Amazon SNS over HTTPS: a signature by a certificate of AWS, of a topic that nova.toml allows (FACTS F1)."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from dashboard.hooks.letters import AHEAD, Letter, Refused, Unreadable, document
from novaops import environment as declared
from novaops.cloud import sns
from novaops.environment import Environment

SOURCE = "sns"
OLDEST = timedelta(hours=1)
CERTIFICATE = re.compile(
    r"https://sns\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/SimpleNotificationService-[a-z0-9]+\.pem", re.ASCII
)
NOTIFICATION, CONFIRMATION, FAREWELL = "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"
OF_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
OF_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {NOTIFICATION: OF_NOTIFICATION, CONFIRMATION: OF_CONFIRMATION, FAREWELL: OF_CONFIRMATION}
# SNS signs with SHA1 unless a topic asks for version 2.
HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}
Certificates = Callable[[str], RSAPublicKey]


def topics() -> dict[str, Environment]:
    """The allowed topics and the environment that each speaks of."""
    return {topic: one for one in declared.environments().values() for topic in one.hooks.topics}


def check(
    headers: Mapping[str, str], body: bytes, now: datetime, certificates: Certificates = sns.public_key
) -> Letter:
    """The letter, where topic, time, certificate and signature are right. Raises Refused, or OutsideError where the
    certificate could not be had.
    """
    allowed = topics()
    if not allowed:
        raise Refused("no topic is allowed", 404)
    found = _document(body)
    kind = found.get("Type")
    if kind not in SIGNED or headers.get("X-Amz-Sns-Message-Type", "") != kind:
        raise Refused("its type is unknown or not that of its header")
    environment = allowed.get(found["TopicArn"])
    if environment is None:
        raise Refused("its topic is not allowed")
    _refuse_old(found["Timestamp"], now)
    _refuse_unless_signed(found, certificates)
    return Letter(source=SOURCE, ident=found["MessageId"][:200], environment=environment.name)


def canonical(found: Mapping[str, Any]) -> bytes:
    """What is signed: the fields of the type in their order, `name\\nvalue\\n`; a subject only where there is one."""
    names = [name for name in SIGNED[found["Type"]] if name != "Subject" or found.get(name) is not None]
    return "".join(f"{name}\n{found[name]}\n" for name in names).encode()


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = document(body)
    except Unreadable as failure:
        raise Refused(str(failure), 400) from failure
    kind = found.get("Type")
    needed = [name for name in SIGNED.get(kind if isinstance(kind, str) else "", OF_NOTIFICATION) if name != "Subject"]
    needed += ["Signature", "SignatureVersion", "SigningCertURL"]
    optional = ["Subject"] if found.get("Subject") is not None else []
    if not all(isinstance(found.get(name), str) for name in (*needed, *optional)):
        raise Refused("a field is missing or not text", 400)
    try:
        "".join(found[name] for name in (*needed, *optional)).encode()
    except UnicodeEncodeError as failure:
        raise Refused("a field is not text", 400) from failure
    return found


def _refuse_old(told: str, now: datetime) -> None:
    try:
        at = datetime.strptime(told, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError as failure:
        raise Refused("its time is malformed", 400) from failure
    if not now - OLDEST <= at <= now + AHEAD:
        raise Refused("its time is more than an hour ago, or ahead")


def _refuse_unless_signed(found: Mapping[str, Any], certificates: Certificates) -> None:
    url, version = found["SigningCertURL"], found["SignatureVersion"]
    host = CERTIFICATE.fullmatch(url)
    if host is None or host[1] != found["TopicArn"].split(":")[3]:
        raise Refused("its certificate is not at SNS in the region of its topic")
    if version not in HASHES:
        raise Refused("its signature is of an unknown version")
    try:
        signature = base64.b64decode(found["Signature"], validate=True)
        certificates(url).verify(signature, canonical(found), padding.PKCS1v15(), HASHES[version]())
    except (binascii.Error, ValueError, InvalidSignature) as failure:
        raise Refused("its signature is wrong") from failure
