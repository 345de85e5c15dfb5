"""The Stellar RPC's health, from every answer that FACTS A knows."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from novaops.cloud import stellar_rpc
from novaops.cloud.errors import OutsideError
from tests.sandbox.http import serving

# From the official OpenRPC document (stellar-docs, static/stellar-rpc.openrpc.json).
HEALTHY = {
    "status": "healthy",
    "latestLedger": 3730763,
    "latestLedgerCloseTime": "1784671485",
    "oldestLedger": 3609804,
    "oldestLedgerCloseTime": "1784065656",
    "ledgerRetentionWindow": 120960,
}


class Rpc:
    """Answers every request with the same body, and remembers the last."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = "200 OK", b"", {}

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self.asked = {"method": environ["REQUEST_METHOD"], **json.loads(environ["wsgi.input"].read(length))}
        start(self.status, [("Content-Type", "application/json")])
        return [self.body]

    def says(self, **envelope: Any) -> None:
        self.body = json.dumps({"jsonrpc": "2.0", "id": 1, **envelope}).encode()


@pytest.fixture
def rpc() -> Rpc:
    return Rpc()


@pytest.fixture
def url(rpc: Rpc) -> Iterator[str]:
    with serving(rpc) as address:
        yield address


def test_it_asks_by_json_rpc_over_post(rpc, url):
    rpc.says(result=HEALTHY)
    health = stellar_rpc.health(url)
    assert rpc.asked == {"method": "getHealth", "jsonrpc": "2.0", "id": 1}
    assert (health.latest_ledger, health.oldest_ledger) == (3730763, 3609804)
    assert health.latest_closed_at == datetime.fromtimestamp(1784671485, UTC)
    assert health.ledger_s == pytest.approx(5.009, abs=0.001)


@pytest.mark.parametrize("times", [{}, {"latestLedgerCloseTime": None}, {"latestLedgerCloseTime": "soon"}])
def test_an_older_rpc_tells_no_close_times(rpc, url, times):
    rpc.says(result={"status": "healthy", "latestLedger": 10, "oldestLedger": 1, **times})
    health = stellar_rpc.health(url)
    assert (health.latest_closed_at, health.ledger_s) == (None, stellar_rpc.LEDGER_S)


def test_close_times_may_be_numbers(rpc, url):
    rpc.says(result={**HEALTHY, "latestLedgerCloseTime": 1784671485, "oldestLedgerCloseTime": 1784065656})
    assert stellar_rpc.health(url).ledger_s == pytest.approx(5.009, abs=0.001)


@pytest.mark.parametrize(
    ("envelope", "words"),
    [
        ({"error": {"code": -32603, "message": "[-32603] latency (33s) is too high"}}, "latency .33s. is too high"),
        ({"error": {"code": -32603, "message": "[-32603] data stores are not initialized"}}, "not initialized"),
        ({"error": {"code": -32001, "message": "x" * 5000, "data": {"a": 1}}}, "^The RPC answered: x{160}$"),
        ({"result": {"status": "backfill in progress", "latestLedger": 0, "oldestLedger": 0}}, "backfill in progress"),
        ({"result": {"status": "healthy"}}, "names no ledgers"),
        ({"result": []}, "without JSON-RPC"),
        ({}, "without JSON-RPC"),
    ],
)
def test_anything_but_healthy_is_a_sentence(rpc, url, envelope, words):
    rpc.says(**envelope)
    with pytest.raises(OutsideError, match=words):
        stellar_rpc.health(url)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("404 Not Found", b"404 page not found"),
        ("502 Bad Gateway", b"<html>"),
        ("200 OK", b""),
        ("200 OK", b'"healthy"'),
    ],
)
def test_what_is_not_an_rpc_is_a_sentence(rpc, url, status, body):
    rpc.status, rpc.body = status, body
    with pytest.raises(OutsideError, match=f"^The RPC answered HTTP {status[:3]} without JSON"):
        stellar_rpc.health(url)


def test_one_that_hangs_is_given_up_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        started = monotonic()
        with pytest.raises(OutsideError, match=r"within 0\.3 s"):
            stellar_rpc.health(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.3)
    assert monotonic() - started < 2


def test_one_that_is_not_there_is_a_sentence_without_its_address():
    with pytest.raises(OutsideError) as failure:
        stellar_rpc.health("http://127.0.0.1:9/secret-key")
    assert "secret" not in str(failure.value)
