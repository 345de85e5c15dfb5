"""SNS and SQS of the sandbox: what moto lacks of them. Messages are signed as AWS signs, addresses confirm first."""

import base64
import json
import logging
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from moto.core.responses import ActionResult
from moto.sns.models import SNSBackend, Subscription, sns_backends
from moto.sns.responses import SNSResponse
from moto.sqs.models import SQSBackend, sqs_backends
from werkzeug.wrappers import Request, Response

from novaops.sandbox.addresses import ALARMS
from novaops.sandbox.aws.wire import ACCOUNT, REGION, AwsError, Params, arn
from novaops.sandbox.world import world

log = logging.getLogger(__name__)

TOPIC = arn("sns", ALARMS)
QUEUE = arn("sqs", ALARMS)
OVER_HTTP = ("http", "https")
ATTEMPTS = 4
# A message of a replayed past was sent then: it is not sent again.
NOW_WITHIN = timedelta(minutes=1)
# Identifiers of moto repeat with the world's seed; a message is new in every process.
_run = uuid.uuid4()
_tokens: dict[str, str] = {}
CERTIFICATE = f"SimpleNotificationService-{uuid.uuid4().hex}.pem"


@cache
def key() -> rsa.RSAPrivateKey:
    """What messages are signed with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate() -> bytes:
    """What proves the signatures, as AWS has it at the address in each message."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(
        name, name, key().public_key(), 1, now - timedelta(days=1), now + timedelta(days=90)
    )
    return built.sign(key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@Request.application
def certificates(_: Request) -> Response:
    """The WSGI application that has the certificate, to be mounted at addresses.CERTIFICATES_PREFIX."""
    return Response(certificate(), mimetype="application/x-pem-file")


def envelope(topic: str, kind: str, message: str, ident: str, **more: str) -> dict[str, str]:
    """A signed message of SNS, signature version 2."""
    fields = {
        "Type": kind,
        "MessageId": str(uuid.uuid5(_run, ident)),
        "TopicArn": topic,
        "Message": message,
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        **{name: value for name, value in more.items() if value},
    }
    signed = "".join(f"{name}\n{fields[name]}\n" for name in sorted(fields)).encode()
    signature = key().sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return {
        **fields,
        "SignatureVersion": "2",
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": f"https://sns.{topic.split(':')[3]}.amazonaws.com/{CERTIFICATE}",
    }


def publish(topic: str, subject: str, message: dict[str, Any]) -> None:
    """Send to everybody who subscribed to the topic, as CloudWatch does; of the past nothing is sent."""
    found = _sns().topics.get(topic)
    if found is not None and datetime.now(UTC) - world.now() < NOW_WITHIN:
        found.publish(json.dumps(message), subject=subject[:100])


def _sns() -> SNSBackend:
    return sns_backends[ACCOUNT][REGION]


def _post_data(self: Subscription, message: str, message_id: str, subject: str | None, **_: Any) -> dict[str, Any]:
    return dict(envelope(self.topic.arn, "Notification", message, message_id, Subject=subject or ""))


def _published(original: Any) -> Any:
    def published(self: Subscription, message: str, message_id: str, **more: Any) -> None:
        if self.protocol not in OVER_HTTP:
            original(self, message, message_id, **more)
        elif self.confirmed:
            _send(self.endpoint, self.get_post_data(message, message_id, more.get("subject")))

    return published


def _send(endpoint: str, message: dict[str, str]) -> None:
    threading.Thread(target=_deliver, args=(endpoint, message), daemon=True).start()


def _deliver(endpoint: str, message: dict[str, str]) -> None:
    """Try a few times: only success and a refusal end it, as with SNS."""
    headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": message["Type"]}
    asked = urllib.request.Request(endpoint, json.dumps(message).encode(), headers, method="POST")  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for attempt in range(ATTEMPTS):
        try:
            opener.open(asked, timeout=5).close()
        except urllib.error.HTTPError as refusal:
            if refusal.code < 500:
                return
        except OSError as failure:
            log.warning("%s could not be told: %s", endpoint, failure)
        else:
            return
        time.sleep(2**attempt)


def _subscribed(original: Any) -> Any:
    def subscribed(self: SNSBackend, topic_arn: str, endpoint: str, protocol: str) -> Subscription:
        made = original(self, topic_arn, endpoint, protocol)
        if protocol in OVER_HTTP and not made.confirmed:
            _ask_to_confirm(made)
        return made

    return subscribed


def _ask_to_confirm(subscription: Subscription) -> None:
    token = uuid.uuid4().hex * 4
    _tokens[token] = subscription.arn
    words = f"You have chosen to subscribe to the topic {subscription.topic.arn}."
    asks = {"Token": token, "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"}
    if datetime.now(UTC) - world.now() < NOW_WITHIN:
        _send(subscription.endpoint, envelope(subscription.topic.arn, "SubscriptionConfirmation", words, token, **asks))


def _confirm(self: SNSResponse) -> ActionResult:
    params: Params = {name: self._get_param(name) for name in ("TopicArn", "Token")}
    found = self.backend.subscriptions.get(_tokens.get(str(params["Token"]), ""))
    if found is None or found.topic.arn != params["TopicArn"]:
        raise AwsError("InvalidParameter", "Invalid parameter: Token")
    found.confirmed = True
    return ActionResult({"SubscriptionArn": found.arn})


def _received(original: Any) -> Any:
    """An empty queue answers at once: a wait would hold up the whole world."""

    def received(self: SQSBackend, queue_name: str, count: int, _wait_s: int, *rest: Any, **more: Any) -> Any:
        return original(self, queue_name, count, 0, *rest, **more)

    return received


def install() -> None:
    """Put ours in place of moto's. Again it changes nothing."""
    if Subscription.get_post_data is _post_data:
        return
    Subscription.get_post_data = _post_data
    Subscription.publish = _published(Subscription.publish)
    SNSBackend.subscribe = _subscribed(SNSBackend.subscribe)
    SNSResponse.confirm_subscription = _confirm
    SQSBackend.receive_message = _received(SQSBackend.receive_message)


def reset() -> None:
    """Forget who was asked to confirm."""
    _tokens.clear()


def seed() -> None:
    """The topic that the alarms tell, and the queue behind it."""
    sqs_backends[ACCOUNT][REGION].create_queue(ALARMS)
    _sns().create_topic(ALARMS)
    _sns().subscribe(TOPIC, QUEUE, "sqs")
