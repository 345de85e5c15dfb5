"""Amazon SNS: the certificates that it signs with, and the answer to a topic that asks to be subscribed."""

import ssl
import threading
import time
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID
from django.conf import settings

from novaops.cloud import aws
from novaops.cloud.errors import NotSent
from novaops.environment import Environment

KEPT_S = 24 * 3600
# A certificate that was not had is not asked for again at once, and no more than so many of them in a minute.
MISSED_S = 30
FETCHES_A_MINUTE = 10
LARGEST = 64 * 1024
TIMEOUT_S = 3

_keys: dict[str, tuple[float, RSAPublicKey]] = {}
_asked: dict[str, float] = {}
_asking = threading.Lock()


def public_key(url: str) -> RSAPublicKey:
    """The key of the certificate at that address of SNS, kept for a day.

    Raises NotSent where it cannot be had now, and ValueError where what is there is not a certificate of SNS. The
    caller has made sure that the address is one of SNS.
    """
    if known := _known(url):
        return known
    with _asking:
        if known := _known(url):
            return known
        _refuse_too_many(url)
        key = _key_of(_fetch(url))
        _keys.clear()
        _keys[url] = (time.monotonic() + KEPT_S, key)
    return key


def _known(url: str) -> RSAPublicKey | None:
    until, key = _keys.get(url, (0.0, None))
    return key if time.monotonic() < until else None


def forget() -> None:
    """Forget every certificate, and that any was asked for."""
    _keys.clear()
    _asked.clear()


def _refuse_too_many(url: str) -> None:
    now = time.monotonic()
    for old in [one for one, at in _asked.items() if now - at > 60]:
        del _asked[old]
    if now - _asked.get(url, -MISSED_S) < MISSED_S or len(_asked) >= FETCHES_A_MINUTE:
        raise NotSent("The certificate of SNS is not to be had now", code="CertificateMissing")
    _asked[url] = now


def _fetch(url: str) -> bytes:
    """What is at the address: over TLS and without redirects or proxies, unless a sandbox has the certificates."""
    split = urlsplit(settings.SNS_CERTIFICATES + urlsplit(url).path if settings.SNS_CERTIFICATES else url)
    host = split.hostname or ""
    connection: HTTPConnection = (
        HTTPSConnection(host, timeout=TIMEOUT_S, context=ssl.create_default_context())
        if split.scheme == "https"
        else HTTPConnection(host, split.port, timeout=TIMEOUT_S)
    )
    try:
        connection.request("GET", split.path)
        answer = connection.getresponse()
        body = answer.read(LARGEST + 1)
    except (OSError, HTTPException) as failure:
        raise NotSent("The certificate of SNS could not be fetched", code=type(failure).__name__) from failure
    finally:
        connection.close()
    if answer.status >= 500:
        raise NotSent("The certificate of SNS could not be fetched", code=str(answer.status))
    if answer.status != 200 or len(body) > LARGEST:
        raise ValueError("There is no certificate")
    return body


def _key_of(pem: bytes) -> RSAPublicKey:
    certificate = x509.load_pem_x509_certificate(pem)
    names = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    key, now = certificate.public_key(), datetime.now(UTC)
    if not any(name.startswith("sns.") and ".amazonaws.com" in name for name in names):
        raise ValueError("It is not the certificate of SNS")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ValueError("The certificate is not valid now")
    if not isinstance(key, RSAPublicKey):
        raise ValueError("The certificate has no RSA key")
    return key


def confirm_subscription(environment: Environment, topic: str, token: str) -> str:
    """Tell AWS that the topic may send to us; repeated, it answers the same. Raises an OutsideError."""
    answer = aws.read(
        environment, "sns:ConfirmSubscription", TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true"
    )
    return str(answer["SubscriptionArn"])
