"""Slack: posts a message once, changes one, and finds out whether one was posted."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from novaops.cloud.errors import Ambiguous, Fenced, NotSent, OutsideError, Refused
from novaops.cloud.http import retry_after_s
from novaops.declared import Slack

TIMEOUT_S = 8
# Under this name the metadata of a message carries which message of NovaOps it is.
EVENT_TYPE = "novaops_message"
LONGEST_TEXT = 3900
CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{6,}")
MOST_PAGES = 5
# Slack's clock and ours may differ.
BEFORE = timedelta(minutes=2)
THROTTLED = frozenset({"ratelimited", "rate_limited"})
# Errors of Slack itself, which leave open what happened.
BROKEN = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
CUT_OFF = " […]"


@dataclass(frozen=True, kw_only=True)
class Posted:
    """Where a message stands in Slack."""

    channel: str
    ts: str


def post(slack: Slack, *, channel: str, text: str, uid: str, fence: Callable[[], bool], thread_ts: str = "") -> Posted:
    """Post a plain text, in a thread where `thread_ts` names one. Raises Refused, NotSent, Ambiguous or Fenced."""
    answer = _sent(
        slack,
        "chat.postMessage",
        fence,
        channel=channel,
        text=escaped(text),
        metadata={"event_type": EVENT_TYPE, "event_payload": {"message": uid}},
        unfurl_links=False,
        **({"thread_ts": thread_ts} if thread_ts else {}),
    )
    return Posted(channel=str(answer.get("channel", "")), ts=str(answer.get("ts", "")))


def change(slack: Slack, *, posted: Posted, text: str, fence: Callable[[], bool]) -> Posted:
    """Give a message another text. Raises as `post` does."""
    _sent(slack, "chat.update", fence, channel=posted.channel, ts=posted.ts, text=escaped(text))
    return posted


def find(slack: Slack, *, channel: str, uid: str, since: datetime, thread_ts: str = "") -> Posted | None:
    """The message of NovaOps with that `uid`; None where the channel's history has none. Raises an OutsideError."""
    client = _client(slack)
    where = channel if CHANNEL_ID.fullmatch(channel) else _channel_id(client, channel)
    asked = {"channel": where, "oldest": f"{(since - BEFORE).timestamp():.6f}", "include_all_metadata": True}
    method = "conversations.replies" if thread_ts else "conversations.history"
    for page in _pages(client, method, **asked, **({"ts": thread_ts} if thread_ts else {})):
        for message in page.get("messages", []):
            if message.get("metadata", {}).get("event_payload", {}).get("message") == uid:
                return Posted(channel=where, ts=str(message["ts"]))
    return None


def escaped(text: str) -> str:
    """The text as Slack shows it literally: no mention, no link with another name, and not too long."""
    plain = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - len(CUT_OFF)] + CUT_OFF
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def is_from_slack(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    """Whether a request was signed with the secret within the last five minutes."""
    if not secret or not headers.get("X-Slack-Request-Timestamp", "").isdigit():
        return False
    try:
        return SignatureVerifier(secret).is_valid_request(body, headers)
    except UnicodeDecodeError:
        return False


def _client(slack: Slack) -> WebClient:
    if not slack.token:
        raise Refused(f"Slack: {slack.token_env} is not set")
    client = WebClient(token=slack.token, base_url=f"{slack.base_url}/", timeout=TIMEOUT_S, retry_handlers=[])
    # The SDK would send everything to HTTPS_PROXY, whatever NO_PROXY says; urllib asks both by itself.
    client.proxy = None
    return client


def _sent(slack: Slack, method: str, fence: Callable[[], bool], **params: Any) -> dict[str, Any]:
    client = _client(slack)
    if not fence():
        raise Fenced(method)
    return _called(client, method, **params)


def _called(client: WebClient, method: str, *, form: bool = False, **params: Any) -> dict[str, Any]:
    try:
        answer = client.api_call(method, params=params) if form else client.api_call(method, json=params)
    except SlackApiError as failure:
        raise _from_answer(method, failure.response) from failure
    except URLError as failure:
        # urllib wraps what fails before the whole request has left; what fails afterwards comes as it is.
        raise NotSent("Slack could not be reached", code=type(failure.reason).__name__) from failure
    except Exception as failure:
        raise Ambiguous(f"Slack did not answer ({type(failure).__name__})", code=type(failure).__name__) from failure
    return dict(answer.data) if isinstance(answer.data, dict) else {}


def _from_answer(method: str, answer: Any) -> OutsideError:
    status, error = int(answer.status_code), str(answer.data.get("error", ""))
    if status == 429 or error in THROTTLED:
        wait_s = retry_after_s(answer.headers.get("Retry-After"))
        return NotSent("Slack is throttling", code="429", retry_after_s=wait_s)
    if status >= 500 or error in BROKEN:
        return Ambiguous(f"Slack answered {status if status >= 500 else error}", code=str(max(status, 500)))
    return Refused(f"Slack refused {method}: {error[:80] or status}", code=error[:80])


def _pages(client: WebClient, method: str, **params: Any) -> Iterator[dict[str, Any]]:
    cursor = ""
    for _ in range(MOST_PAGES):
        page = _called(client, method, form=True, limit=200, **params, **({"cursor": cursor} if cursor else {}))
        yield page
        cursor = str(page.get("response_metadata", {}).get("next_cursor", ""))
        if not cursor:
            return


def _channel_id(client: WebClient, name: str) -> str:
    kinds = "public_channel,private_channel"
    for page in _pages(client, "conversations.list", types=kinds, exclude_archived=True):
        for channel in page.get("channels", []):
            if channel.get("name") == name.lstrip("#"):
                return str(channel["id"])
    raise Refused(f"Slack knows no channel {name}", code="channel_not_found")
