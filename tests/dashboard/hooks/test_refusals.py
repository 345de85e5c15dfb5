"""Whoever cannot prove who they are is refused plainly, and leaves no row."""

import json
import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.utils import OperationalError
from django.test import Client

from dashboard.checks import secrets_are_long
from dashboard.hooks import inbox, ledger
from dashboard.hooks.models import Delivery
from novaops import live
from novaops.cloud import sns as cloud_sns
from tests.dashboard.hooks import post
from tests.dashboard.hooks.post import alarm, as_pagerduty, as_sender, as_sns, confirmation, event, notification

pytestmark = pytest.mark.django_db
GOOD = {"name": "nova-api-high-cpu", "state": "firing"}
RAW = json.dumps(GOOD).encode()
EVIL = "https://evil.example/SimpleNotificationService-0123456789abcdef.pem"


def foreign(message: dict[str, Any]) -> dict[str, Any]:
    return post.signed(message, post.FOREIGN_KEY)


REFUSED: dict[str, Callable[[], int]] = {
    "sender: no signature": lambda: as_sender(GOOD, {"X-Nova-Signature": ""}),
    "sender: no scheme": lambda: as_sender(GOOD, {"X-Nova-Signature": "0" * 64}),
    "sender: wrong secret": lambda: as_sender(GOOD, key=b"not the secret at all"),
    "sender: empty secret": lambda: as_sender(
        GOOD, {"X-Nova-Signature": post.hex_of(b"", b".".join((b"1", b"delivery-x", RAW)))}
    ),
    "sender: body changed": lambda: as_sender(GOOD, post.sender_headers(b"{}")),
    "sender: other delivery": lambda: as_sender(GOOD, {"X-Nova-Delivery": "another-one"}),
    "sender: other time": lambda: as_sender(GOOD, {"X-Nova-Timestamp": f"{time.time() + 7:.0f}"}),
    "sender: old": lambda: as_sender(GOOD, at=time.time() - 301),
    "sender: ahead": lambda: as_sender(GOOD, at=time.time() + 302),
    "sender: time is no number": lambda: as_sender(GOOD, {"X-Nova-Timestamp": "now"}),
    "sender: time in other digits": lambda: as_sender(GOOD, {"X-Nova-Timestamp": "\u00b2"}),
    "sender: no delivery": lambda: as_sender(GOOD, {"X-Nova-Delivery": ""}),
    "sender: a hundred signatures": lambda: as_sender(GOOD, {"X-Nova-Signature": "v1=0," * 100}),
    "pagerduty: no signature": lambda: as_pagerduty(event(), "v1="),
    "pagerduty: wrong signature": lambda: as_pagerduty(event(), post.hex_of(b"another secret", b"{}")),
    "pagerduty: of another body": lambda: as_pagerduty(
        event(), post.hex_of(post.secret("PAGERDUTY_WEBHOOK_SECRETS"), b"{}")
    ),
    "sns: another key": lambda: as_sns(foreign(notification())),
    "sns: message changed": lambda: as_sns({**notification(), "Message": json.dumps(alarm("OK"))}),
    "sns: subject taken away": lambda: as_sns({k: v for k, v in notification().items() if k != "Subject"}),
    "sns: signature is no base64": lambda: as_sns({**notification(), "Signature": "!!"}),
    "sns: signature empty": lambda: as_sns({**notification(), "Signature": ""}),
    "sns: unknown version": lambda: as_sns({**notification(), "SignatureVersion": "3"}),
    "sns: version 1 says it is 2": lambda: as_sns({**notification(SignatureVersion="1"), "SignatureVersion": "2"}),
    "sns: wrong topic": lambda: as_sns(notification(TopicArn=post.TOPIC + "-other")),
    "sns: another account": lambda: as_sns(notification(TopicArn=post.TOPIC.replace("123456789012", "210987654321"))),
    "sns: old": lambda: as_sns(notification(Timestamp=post.stamp(timedelta(hours=1, seconds=5)))),
    "sns: ahead": lambda: as_sns(notification(Timestamp=post.stamp(-timedelta(minutes=6)))),
    "sns: time malformed": lambda: as_sns(notification(Timestamp="yesterday")),
    "sns: foreign certificate host": lambda: as_sns(notification(SigningCertURL=EVIL)),
    "sns: certificate of another region": lambda: as_sns(
        notification(SigningCertURL=post.CERTIFICATE_URL.replace("eu-west-1", "us-east-1"))
    ),
    "sns: certificate over http": lambda: as_sns(
        notification(SigningCertURL=post.CERTIFICATE_URL.replace("https", "http"))
    ),
    "sns: raw delivery": lambda: as_sns(notification(), **{"X-Amz-Sns-Message-Type": ""}),
    "sns: type is not the header's": lambda: as_sns(notification(), **{"X-Amz-Sns-Message-Type": "UnsubscribeX"}),
    "sns: confirmation of a wrong topic": lambda: as_sns(confirmation(TopicArn=post.TOPIC + "-other")),
    "sns: unsigned confirmation": lambda: as_sns({**confirmation(), "Token": "another"}),
    "nobody": lambda: as_sender(GOOD, name="nobody"),
}


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED)
def test_it_is_refused_and_leaves_no_row(attempt: Callable[[], int], certificates):
    assert attempt() in (400, 401, 404)
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0a.pem",
        "https://evil.example/?https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem#x",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem\n",
        "https://snseu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://s3.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-west-1.amazonaws.com/other.pem",
        "",
    ],
)
def test_no_certificate_is_fetched_from_anywhere_but_sns(url: str, certificates):
    assert as_sns(notification(SigningCertURL=url)) in (400, 401)
    assert certificates.asked == []


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"nonsense",
        post.certificate(name="sns.evil.example"),
        post.certificate(days=-1),
        post.certificate(key=post.FOREIGN_KEY),
        b"x" * 70_000,
    ],
    ids=["empty", "nonsense", "another name", "expired", "another key", "huge"],
)
def test_what_is_no_valid_certificate_of_sns_signs_nothing(pem: bytes, certificates):
    certificates.pem = pem
    assert as_sns(notification()) == 401


def test_a_certificate_is_fetched_once_however_many_are_signed_by_it(certificates):
    assert [as_sns(notification()) for _ in range(3)] == [202, 202, 202]
    assert certificates.asked == ["/SimpleNotificationService-0123456789abcdef.pem"]


def test_sns_comes_again_where_its_certificate_cannot_be_had_now(certificates):
    certificates.status = 503
    assert as_sns(notification()) == 503
    assert not Delivery.objects.exists()


def test_certificates_cannot_be_asked_for_without_end(certificates):
    certificates.pem = b"nonsense"
    url = post.CERTIFICATE_URL.replace("0123", "{:04x}")
    codes = [as_sns(notification(SigningCertURL=url.format(number))) for number in range(20)]
    assert len(certificates.asked) == cloud_sns.FETCHES_A_MINUTE
    assert codes[-1] == 503


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_the_signature_are_known(version: str, certificates):
    assert as_sns(notification(SignatureVersion=version)) == 202


def test_a_message_without_subject_is_signed_without_it(certificates):
    assert as_sns(notification(Subject=None)) == 202


@pytest.mark.parametrize("send", [as_pagerduty, as_sender])
def test_two_secrets_are_good_while_one_replaces_the_other(send, monkeypatch):
    for name in ("PAGERDUTY_WEBHOOK_SECRETS", "SYNTHETICS_SECRETS"):
        monkeypatch.setenv(name, "the new secret of this,the old secret of this")
    for key in (b"the new secret of this", b"the old secret of this"):
        raw = json.dumps(event()).encode()
        if send is as_pagerduty:
            assert as_pagerduty(raw, f"v1={'0' * 64},{post.hex_of(key, raw)}") == 202
        else:
            assert as_sender(GOOD, key=key) == 202
    assert as_sender(GOOD, key=b"the new secret of this,the old secret of this") == 401


@pytest.mark.parametrize("value", ["short", "a good and long secret,short", ",".join(["a good and long secret"] * 3)])
def test_a_secret_that_is_too_short_or_one_too_many_stops_the_start(value: str, monkeypatch):
    monkeypatch.setenv("SYNTHETICS_SECRETS", value)
    assert [one.id for one in secrets_are_long()] == ["dashboard.E002"]
    monkeypatch.setenv("SYNTHETICS_SECRETS", "a good and long secret")
    assert secrets_are_long() == []


def test_a_source_without_a_secret_does_not_exist(monkeypatch):
    monkeypatch.delenv("SYNTHETICS_SECRETS")
    assert as_sender(GOOD, key=b"whatever it may be") == 404


def test_a_replayed_message_is_refused_and_kept_once():
    headers = post.sender_headers(RAW)
    assert [post.send("synthetics", RAW, headers) for _ in range(3)] == [202, 409, 409]
    assert Delivery.objects.count() == 1


def test_a_second_copy_of_what_is_told_again_is_a_success(certificates):
    message, told = notification(), event()
    assert [as_sns(message), as_sns(message), as_pagerduty(told), as_pagerduty(told)] == [202] * 4
    assert Delivery.objects.count() == 2


def test_what_is_too_large_is_refused_unread():
    assert as_sender(b" " * (inbox.LARGEST - 10) + b'{"a": 1}') == 202
    assert as_sender(b" " * inbox.LARGEST + b"{}") == 413


def test_a_refusal_tells_the_sender_nothing_and_the_administrator_why(certificates):
    answer = Client().post("/hooks/sns", post.bytes_of(notification(TopicArn=post.TOPIC + "x")), "text/plain")
    assert answer.content == b"refused\n"
    assert as_sender(GOOD, at=time.time() - 900) == 401
    assert "300 s off" in ledger.last_refusal("synthetics").why


def test_only_post_is_answered():
    assert Client().get("/hooks/sns").status_code == 405


@pytest.mark.parametrize("redis_answers", [True, False])
def test_a_sender_that_sends_without_end_is_asked_for_patience(settings, monkeypatch, redis_answers):
    settings.HOOKS_A_MINUTE = 2
    if not redis_answers:
        monkeypatch.setattr(live.Cache, "silent_until", math.inf)
    codes = [as_sender(GOOD) for _ in range(6)]
    assert codes[0] == 202
    assert 429 in codes


def test_what_other_processes_took_counts_and_sns_is_never_told_that_too_much_is_delivered(settings, certificates):
    settings.HOOKS_A_MINUTE = 5
    now = time.time()
    for minute in (now, now + 60):
        for source in ("synthetics", "sns", "pagerduty"):
            for _ in range(5):
                live.count_this_minute(f"hooks:{source}", minute)
    assert [as_sender(GOOD), as_sns(notification()), as_pagerduty(event())] == [429, 503, 429]
    assert not Delivery.objects.exists()


def test_a_sender_comes_again_where_the_database_is_away(monkeypatch):
    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(inbox.connection, "cursor", away)
    assert as_sender(GOOD) == 503
    assert as_pagerduty(event()) == 503
