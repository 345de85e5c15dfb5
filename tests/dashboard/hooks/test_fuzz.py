"""Whatever a rightly signed message says: never an error of ours, never a row of nonsense."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.hooks import inbox
from dashboard.hooks.letters import JOINERS
from dashboard.hooks.models import Delivery
from dashboard.models import Alert, Severity
from novaops.environment import SERVICE_KINDS
from tests.dashboard.hooks import post
from tests.dashboard.hooks.post import alarm, as_pagerduty, as_sender, as_sns, event, notification

pytestmark = pytest.mark.django_db
CORPUS = [
    b"",
    b"null",
    b"[]",
    b"3",
    b'"text"',
    b"{",
    b"\xff\xfe",
    b"\x00",
    b"NaN",
    b'{"name": NaN}',
    b'{"a": 1e999}',
    b'{"name": "x", "name": "y"}',
    b'{"event": {}}',
    b'{"event": null}',
    b'{"event": {"id": 3, "data": []}}',
    b"[" * 100_000,
    b'{"a":' * 30_000,
    b'{"event":' + b'{"data":' * 2_000 + b"1" + b"}" * 2_001,
    b'{"n": ' + b"9" * 10_000 + b"}",
    b'{"Type": "Notification"}',
    b'{"name": "\\u0000", "state": "firing"}',
    b'{"name": "\\ud800", "state": "firing", "service": "api"}',
    b'{"name": "x", "state": "firing", "service": "moon"}',
    b'{"name": "x", "state": "firing", "service": "api", "at": "9999-12-31T23:59:59+00:00"}',
    b'{"name": "x", "state": "firing", "service": "api", "at": "0001-01-01T00:00:00+14:00"}',
    b'{"name": "x", "state": "firing", "service": ["api"]}',
    b'{"name": "x", "state": "firing", "service": "api", "url": "javascript:alert(1)"}',
]
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
anything = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def all_is_sound() -> None:
    """Every message was read, and every alert that came of one is a whole one."""
    inbox.read_waiting()
    assert not Delivery.objects.filter(state=Delivery.State.WAITING).exists()
    assert not Delivery.objects.filter(outcome__contains="itself failed").exists()
    for one in Alert.objects.all():
        assert one.service in SERVICE_KINDS
        assert one.severity in Severity.values
        assert one.title.strip()
        assert one.rule.strip()
        assert one.sentence.translate(dict.fromkeys(map(ord, JOINERS))).isprintable()
        assert one.started_at <= one.fired_at
        assert all(witness.url == "" or witness.url.startswith("https://") for witness in one.witnesses.all())


def changed(draw: Any, whole: dict[str, Any], paths: list[tuple[str, ...]]) -> dict[str, Any]:
    """The message with some of its fields replaced by anything, or taken away."""
    found: dict[str, Any] = json.loads(json.dumps(whole))
    for path in draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3, unique=True)):
        holder: Any = found
        for name in path[:-1]:
            holder = holder.get(name) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            if draw(st.booleans()):
                holder[path[-1]] = draw(anything)
            else:
                holder.pop(path[-1], None)
    return found


@pytest.mark.parametrize("body", CORPUS, ids=lambda body: repr(body[:40]))
def test_the_corpus_is_taken_by_nobody_as_an_alert(body: bytes, certificates):
    assert as_pagerduty(body) == 202
    assert as_sender(body) in (202, 400)
    assert post.send("sns", body, {"X-Amz-Sns-Message-Type": "Notification"}, "text/plain") in (400, 401)
    assert as_sns(notification(body.decode("latin-1"))) == 202
    all_is_sound()


@many
@given(st.data())
def test_a_sender_may_say_anything(data: st.DataObject):
    whole = {"name": "x", "state": "firing", "service": "api", "at": "2026-01-01T00:00:00Z", "sentence": "s", "url": ""}
    body = changed(data.draw, whole, [(name,) for name in whole])
    assert as_sender(body) in (202, 400)
    all_is_sound()


@many
@given(st.data())
def test_pagerduty_may_say_anything(data: st.DataObject):
    names = ("id", "status", "title", "service", "html_url", "incident_key")
    paths = [("event",), *(("event", name) for name in ("id", "event_type", "resource_type", "occurred_at", "data"))]
    paths += [("event", "data", name) for name in names]
    assert as_pagerduty(changed(data.draw, event(), paths)) == 202
    all_is_sound()


@many
@given(st.data())
def test_an_alarm_may_say_anything(data: st.DataObject):
    from novaops.cloud import sns as cloud_sns

    cloud_sns._keys[post.CERTIFICATE_URL] = (float("inf"), post.KEY.public_key())
    whole = alarm()
    paths = [(name,) for name in whole] + [("Trigger", name) for name in whole["Trigger"]]
    assert as_sns(notification(changed(data.draw, whole, paths))) == 202
    all_is_sound()


@many
@given(st.data())
def test_an_envelope_of_sns_may_say_anything(data: st.DataObject):
    whole = notification()
    assert as_sns(changed(data.draw, whole, [(name,) for name in whole])) in (202, 400, 401, 503)
    all_is_sound()
