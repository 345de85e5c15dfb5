"""A Stellar RPC's health, network and events, asked by JSON-RPC over POST (FACTS A).

The SDK's `get_health` drops the close times, so its client makes the call and the answer is read here. The SDK is
imported by the first call: that takes as long as an eighth of a process's start, and most processes never ask an RPC.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from novaops.cloud.errors import OutsideError

if TYPE_CHECKING:
    from stellar_sdk.client.requests_client import RequestsClient

TIMEOUT_S = 2.0
PAGE_TIMEOUT_S = 6.0
# The ledger of an event id or cursor is what stands above these bits (FACTS A4).
LEDGER_BITS = 32
# The documented cadence, where an RPC does not tell close times (FACTS A5).
LEDGER_S = 5.0
SHOWN_CHARACTERS = 160


@dataclass(frozen=True, kw_only=True)
class Health:
    """A healthy RPC. `ledger_s` is the measured time between ledgers; close times are None before RPC v27.1."""

    latest_ledger: int
    oldest_ledger: int
    latest_closed_at: datetime | None
    ledger_s: float
    took_s: float


def health(url: str, *, timeout_s: float = TIMEOUT_S) -> Health:
    """Ask `getHealth`. Raises OutsideError with a sentence unless the RPC says that it is healthy.

    An unhealthy RPC answers with a JSON-RPC error over HTTP 200 (FACTS A3); any status but healthy counts as ill.
    """
    started = monotonic()
    result = _call(url, "getHealth", timeout_s)
    if result.get("status") != "healthy":
        raise OutsideError(f"The RPC says it is {str(result.get('status'))[:SHOWN_CHARACTERS]!r}, not healthy")
    latest, oldest = _int(result.get("latestLedger")), _int(result.get("oldestLedger"))
    if latest is None or oldest is None:
        raise OutsideError("The RPC's answer to getHealth names no ledgers")
    closed, first_closed = _int(result.get("latestLedgerCloseTime")), _int(result.get("oldestLedgerCloseTime"))
    return Health(
        latest_ledger=latest,
        oldest_ledger=oldest,
        latest_closed_at=datetime.fromtimestamp(closed, UTC) if closed is not None else None,
        ledger_s=_cadence_s(latest - oldest, closed, first_closed),
        took_s=monotonic() - started,
    )


def passphrase(url: str, *, timeout_s: float = TIMEOUT_S) -> str:
    """Ask `getNetwork` which network the RPC is on. Raises OutsideError with a sentence."""
    return str(_call(url, "getNetwork", timeout_s).get("passphrase", ""))


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some events: (id, ledger) in order; `cursor` is where the next page begins, and `ledger` is its ledger."""

    events: tuple[tuple[str, int], ...]
    cursor: str
    ledger: int


def events(
    url: str,
    *,
    start: int = 0,
    cursor: str = "",
    limit: int = 1000,
    contracts: tuple[str, ...] = (),
    timeout_s: float = PAGE_TIMEOUT_S,
) -> Page:
    """One page of `getEvents` from a ledger or from behind a cursor, never both (FACTS A4). Raises OutsideError.

    Of up to five `contracts`, or of all where none is named.
    """
    where: dict[str, Any] = {} if cursor else {"startLedger": start}
    if contracts:
        where["filters"] = [{"type": "contract", "contractIds": list(contracts)}]
    pagination = {"limit": limit, **({"cursor": cursor} if cursor else {})}
    result = _call(url, "getEvents", timeout_s, {**where, "pagination": pagination})
    try:
        found = tuple((str(event["id"]), int(event["ledger"])) for event in result["events"])
        following = str(result["cursor"])
        return Page(events=found, cursor=following, ledger=int(following.partition("-")[0]) >> LEDGER_BITS)
    except (KeyError, TypeError, ValueError) as failure:
        raise OutsideError("The RPC's answer to getEvents is not as documented") from failure


def _cadence_s(ledgers: int, closed: int | None, first_closed: int | None) -> float:
    if closed is None or first_closed is None or ledgers <= 0 or closed <= first_closed:
        return LEDGER_S
    return (closed - first_closed) / ledgers


def _call(url: str, method: str, timeout_s: float, params: dict[str, Any] | None = None) -> dict[str, Any]:
    from stellar_sdk.exceptions import SdkError

    asked = {"jsonrpc": "2.0", "id": 1, "method": method, **({"params": params} if params else {})}
    with _client(timeout_s) as client:
        try:
            answer = client.post(url, json_data=asked)
        except (SdkError, TimeoutError) as failure:
            raise OutsideError(f"The RPC did not answer within {timeout_s:g} s or refused the connection") from failure
    try:
        body = answer.json()
    except ValueError as failure:
        raise OutsideError(f"The RPC answered HTTP {answer.status_code} without JSON") from failure
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        raise OutsideError(f"The RPC answered: {str(body['error'].get('message'))[:SHOWN_CHARACTERS]}")
    if not isinstance(body, dict) or not isinstance(body.get("result"), dict):
        raise OutsideError(f"The RPC answered HTTP {answer.status_code} without JSON-RPC")
    return dict(body["result"])


@contextmanager
def _client(timeout_s: float) -> Iterator["RequestsClient"]:
    from stellar_sdk.client.requests_client import RequestsClient

    client = RequestsClient(num_retries=0, post_timeout=timeout_s)
    try:
        yield client
    finally:
        client.close()


def _int(value: Any) -> int | None:
    """The number, also where it comes as a string, as close times do."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
