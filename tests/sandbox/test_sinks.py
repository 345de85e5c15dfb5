"""The sinks answer like Slack, PagerDuty and Statuspage do (FACTS F), and show what they captured."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from novaops.sandbox import sinks

Send = Callable[..., TestResponse]
SLACK = {"Authorization": "Bearer xoxb-sandbox"}
PAGERDUTY = {"Authorization": "Token token=sandbox", "From": "ops@example.com"}
STATUSPAGE = {"Authorization": "OAuth sandbox"}
MESSAGE = {"channel": "#nova-incidents", "text": "INC-1 declared"}
INCIDENTS = "/statuspage/v1/pages/novastatus/incidents"


@pytest.fixture
def send() -> Iterator[Send]:
    sinks.reset()
    client = Client(sinks.app())
    yield lambda method, path, body=None, headers=None: client.open(
        path, method=method, json=body or {}, headers=headers
    )
    sinks.reset()


def captured(send: Send) -> list[dict[str, Any]]:
    return send("GET", "/captured").get_json()["captured"]


def test_a_slack_message_is_captured_and_gets_its_ts(send):
    answer = send("POST", "/slack/api/chat.postMessage", MESSAGE, SLACK).get_json()
    assert answer["ok"]
    channels = send("POST", "/slack/api/conversations.list", headers=SLACK).get_json()["channels"]
    assert [(each["name"], each["id"]) for each in channels] == [("nova-incidents", answer["channel"])]
    assert [(each["sink"], each["body"]["text"], each["ts"]) for each in captured(send)] == [
        ("slack", "INC-1 declared", answer["ts"])
    ]


def test_slack_reports_its_errors_over_200(send):
    send("POST", "/errors", {"slack": "channel_not_found"})
    answer = send("POST", "/slack/api/chat.postMessage", MESSAGE, SLACK)
    assert (answer.status_code, answer.get_json()) == (200, {"ok": False, "error": "channel_not_found"})
    assert captured(send) == []


def test_slack_wants_a_token(send):
    assert send("POST", "/slack/api/auth.test").get_json() == {"ok": False, "error": "not_authed"}
    assert send("POST", "/slack/api/auth.test", headers=SLACK).get_json()["team"] == "Nova"


def test_too_many_requests_say_when_to_come_back(send):
    send("POST", "/errors", {"slack": 429})
    answer = send("POST", "/slack/api/chat.postMessage", MESSAGE, SLACK)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


def test_pagerduty_accepts_events_later(send):
    event = {"routing_key": "r" * 32, "event_action": "resolve", "dedup_key": "high-cpu"}
    answer = send("POST", "/pagerduty/v2/enqueue", event)
    assert (answer.status_code, answer.get_json()["dedup_key"]) == (202, "high-cpu")
    assert send("POST", "/pagerduty/v2/enqueue", {**event, "routing_key": "short"}).status_code == 400


def test_pagerduty_wants_to_know_who_changes_an_incident(send):
    change = {"incident": {"type": "incident_reference", "status": "resolved"}}
    path = "/pagerduty/incidents/PNOVA01"
    assert send("PUT", path, change, {"Authorization": PAGERDUTY["Authorization"]}).status_code == 400
    assert send("PUT", path, change, {"From": "ops@example.com"}).status_code == 401
    assert send("PUT", path, change, PAGERDUTY).get_json()["incident"]["status"] == "resolved"


def test_the_status_page_shows_the_incident_until_it_is_resolved(send):
    told = {"incident": {"name": "API is slow <b>", "status": "investigating", "body": "We are looking"}}
    created = send("POST", INCIDENTS, told, STATUSPAGE)
    assert created.status_code == 201
    page = send("GET", "/status").get_data(as_text=True)
    assert "Some systems have problems" in page
    assert "API is slow &lt;b&gt;: investigating" in page
    resolved = {"incident": {"status": "resolved", "body": "Done"}}
    send("PATCH", f"{INCIDENTS}/{created.get_json()['id']}", resolved, STATUSPAGE)
    assert "All systems operational" in send("GET", "/status").get_data(as_text=True)


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        pytest.param(INCIDENTS, {"incident": {"name": "x"}}, {}, 401, id="no key"),
        pytest.param(INCIDENTS, {"incident": {"status": "investigating"}}, STATUSPAGE, 422, id="no name"),
        pytest.param(INCIDENTS, {"incident": {"name": "x", "status": "odd"}}, STATUSPAGE, 422, id="unknown status"),
        pytest.param("/elsewhere", {}, {}, 404, id="no such sink"),
    ],
)
def test_it_refuses_what_the_real_one_refuses(send, path, body, headers, status):
    assert send("POST", path, body, headers).status_code == status
    assert captured(send) == []


def test_an_unknown_status_page_incident_is_not_found(send):
    assert send("PATCH", f"{INCIDENTS}/inc404", {"incident": {"status": "resolved"}}, STATUSPAGE).status_code == 404


def test_the_messages_page_escapes_what_it_shows(send):
    send("POST", "/slack/api/chat.postMessage", {**MESSAGE, "text": "<script>"}, SLACK)
    assert "&lt;script&gt;" in send("GET", "/messages").get_data(as_text=True)
