"""Messages as outside systems send them, signed as they sign them."""

import base64
import hmac
import itertools
import json
import os
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from django.test import Client

from dashboard.hooks import sns

TOPIC = "arn:aws:sns:eu-west-1:123456789012:nova-alarms"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
numbers = itertools.count(1)


def secret(variable: str) -> bytes:
    return os.environ[variable].encode()


def hex_of(key: bytes, message: bytes) -> str:
    return "v1=" + hmac.new(key, message, sha256).hexdigest()


def bytes_of(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def sender_headers(body: bytes, *, at: float | None = None, ident: str = "", key: bytes = b"") -> dict[str, str]:
    told, ident = f"{at if at is not None else time.time():.0f}", ident or f"delivery-{next(numbers)}"
    signed = b".".join((told.encode(), ident.encode(), body))
    signature = hex_of(key or secret("SYNTHETICS_SECRETS"), signed)
    return {"X-Nova-Timestamp": told, "X-Nova-Delivery": ident, "X-Nova-Signature": signature}


def as_sender(body: Any, headers: dict[str, str] | None = None, name: str = "synthetics", **how: Any) -> int:
    """The status that a program of ours is answered with."""
    raw = bytes_of(body)
    return send(name, raw, {**sender_headers(raw, **how), **(headers or {})})


def as_pagerduty(body: Any, signature: str = "") -> int:
    raw = bytes_of(body)
    signature = signature or hex_of(secret("PAGERDUTY_WEBHOOK_SECRETS"), raw)
    return send("pagerduty", raw, {"X-PagerDuty-Signature": signature})


def as_sns(message: dict[str, Any], **headers: str) -> int:
    kind = {"X-Amz-Sns-Message-Type": str(message.get("Type", ""))}
    return send("sns", bytes_of(message), {**kind, **headers}, "text/plain; charset=UTF-8")


def send(source: str, raw: bytes, headers: dict[str, str], kind: str = "application/json") -> int:
    return Client().post(f"/hooks/{source}", raw, content_type=kind, headers=headers).status_code


def event(status: str = "triggered", *, kind: str = "", at: datetime | None = None, **data: Any) -> dict[str, Any]:
    """An incident's event of PagerDuty."""
    about = {
        "id": "PINC01",
        "type": "incident",
        "html_url": "https://nova.pagerduty.com/incidents/PINC01",
        "title": "nova-api-high-cpu in eu-west-1",
        "status": status,
        "service": {"id": "PNOVA01", "type": "service_reference"},
        **data,
    }
    told = {
        "id": f"01EVENT{next(numbers)}",
        "event_type": kind or f"incident.{status}",
        "resource_type": "incident",
        "occurred_at": (at or datetime.now(UTC)).isoformat(),
        "data": about,
    }
    return {"event": told}


def alarm(state: str = "ALARM", *, name: str = "nova-api-high-cpu", at: datetime | None = None, **more: Any) -> Any:
    """A CloudWatch alarm as it tells of its new state."""
    return {
        "AlarmName": name,
        "AWSAccountId": "123456789012",
        "NewStateValue": state,
        "NewStateReason": "Threshold Crossed: 3 datapoints were greater than the threshold (80.0).",
        "StateChangeTime": (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
        "Trigger": {"Namespace": "AWS/ECS", "Threshold": 80.0, "Dimensions": [{"name": "ServiceName", "value": "x"}]},
        **more,
    }


def notification(message: Any = None, **changes: Any) -> dict[str, Any]:
    """A signed notification of SNS; changes come before the signature."""
    found = {
        "Type": "Notification",
        "MessageId": f"3f1b5b4e-{next(numbers):012d}",
        "TopicArn": TOPIC,
        "Subject": 'ALARM: "nova-api-high-cpu" in EU (Ireland)',
        "Message": message if isinstance(message, str) else json.dumps(message or alarm()),
        "Timestamp": stamp(),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        **changes,
    }
    return signed({name: value for name, value in found.items() if value is not None})


def confirmation(**changes: Any) -> dict[str, Any]:
    """A topic that asks to be confirmed."""
    asks = {"Type": "SubscriptionConfirmation", "Token": "t" * 40, "SubscribeURL": "https://evil.example/", **changes}
    return notification("You have chosen to subscribe", Subject=None, **asks)


def signed(message: dict[str, Any], key: rsa.RSAPrivateKey = KEY) -> dict[str, Any]:
    algorithm = hashes.SHA1() if message["SignatureVersion"] == "1" else hashes.SHA256()
    signature = key.sign(sns.canonical(message), padding.PKCS1v15(), algorithm)
    return {**message, "Signature": base64.b64encode(signature).decode()}


def stamp(ago: timedelta = timedelta(0)) -> str:
    return (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def certificate(*, name: str = "sns.amazonaws.com", days: int = 30, key: rsa.RSAPrivateKey = KEY) -> bytes:
    """A certificate as SNS has it; `days` until it ends, negative where it has."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)
