"""Stellar RPC as FACTS A describes it: JSON-RPC over POST, with its errors, limits and retention, for two nodes."""

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from novaops.sandbox.event_filters import Filter, FilterError
from novaops.sandbox.ledgers import PASSPHRASE, PROTOCOL_VERSION, Cursor, network
from novaops.sandbox.world import world

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RETENTION = 120_960
SCAN_LIMIT = 10_000
BODY_LIMIT = 512 * 1024
MAX_LATENCY_S = 30.0
EVENTS_DEFAULT, EVENTS_MAX = 100, 10_000
LEDGERS_DEFAULT, LEDGERS_MAX = 50, 200
FEES = {"max": "200", "min": "100", "mode": "100"} | {f"p{n}": "100" for n in (*range(10, 100, 10), 95, 99)}
VERSION = {
    "version": "27.1.1-7e712815319140618b9be8cf0846701a6f9a2cbe",
    "commitHash": "7e712815319140618b9be8cf0846701a6f9a2cbe",
    "buildTimestamp": "2026-07-07T21:12:19",
    "captiveCoreVersion": "stellar-core 27.1.0 (3589a696b0d4ef5a2cf2124e349c671d71886d9c)",
    "protocolVersion": PROTOCOL_VERSION,
}
Which = Literal["primary", "backup"]
Params = dict[str, Any]


class RpcError(Exception):
    """A JSON-RPC error; it goes out over HTTP 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Node:
    """What a scenario can do to one RPC node.

    `down`: HTTP 503 to everything. `starting`: it has no data yet. `overloaded`: its queues are full. `stuck_at`: it
    ingests no ledger after that one. `missing`: ranges (first, last) whose events it silently leaves out.
    """

    down: bool = False
    starting: bool = False
    overloaded: bool = False
    stuck_at: int | None = None
    retention: int = RETENTION
    missing: list[tuple[int, int]] = field(default_factory=list)

    def stick(self) -> None:
        """Stop ingesting now."""
        self.stuck_at = self.latest()

    def latest(self) -> int:
        newest = network.latest()
        return newest if self.stuck_at is None else min(self.stuck_at, newest)

    def oldest(self) -> int:
        return self.latest() - self.retention + 1

    def latency_s(self) -> float:
        """How long ago the newest ledger closed, in simulated seconds."""
        return (network.closed_at(network.latest()) - network.closed_at(self.latest())) / world.seconds(1)


nodes: dict[Which, Node] = {"primary": Node(), "backup": Node()}


def reset() -> None:
    """Both nodes healthy again; the network's ledgers go on."""
    nodes["primary"], nodes["backup"] = Node(), Node()


def rpc_app(which: Which) -> "WSGIApplication":
    """The HTTP side of one node: POST / only, as the real server's mux and bridge behave."""

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        status, body = _respond(nodes[which], environ)
        kind = "application/json" if status.startswith("200") else "text/plain; charset=utf-8"
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return app


def _respond(node: Node, environ: "WSGIEnvironment") -> tuple[str, bytes]:
    if node.down:
        return "503 Service Unavailable", b""
    if environ.get("PATH_INFO", "") not in {"", "/"}:
        return "404 Not Found", b"404 page not found\n"
    if environ["REQUEST_METHOD"] != "POST":
        return "405 Method Not Allowed", b""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        return "415 Unsupported Media Type", b""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > BODY_LIMIT:
        return "413 Request Entity Too Large", b"http: request body too large\n"
    try:
        asked = json.loads(environ["wsgi.input"].read(length))
    except ValueError as failure:
        return "500 Internal Server Error", f"{failure}\n".encode()
    answers = [_answer(node, each) for each in asked] if isinstance(asked, list) else _answer(node, asked)
    return "200 OK", json.dumps(answers).encode()


def _answer(node: Node, asked: Any) -> dict[str, Any]:
    identifier = asked.get("id") if isinstance(asked, dict) else None
    try:
        return {"jsonrpc": "2.0", "id": identifier, "result": _result(node, asked)}
    except RpcError as failure:
        return {"jsonrpc": "2.0", "id": identifier, "error": {"code": failure.code, "message": str(failure)}}


def _result(node: Node, asked: Any) -> dict[str, Any]:
    if not isinstance(asked, dict) or asked.get("jsonrpc") != "2.0" or not isinstance(asked.get("method"), str):
        raise RpcError(-32600, "invalid request")
    method = METHODS.get(asked["method"])
    if method is None:
        raise RpcError(-32601, "method not found")
    params = asked.get("params")
    if params is not None and not isinstance(params, dict):
        raise RpcError(-32602, "invalid parameters")
    if node.overloaded:
        raise RpcError(-32098, f"rpc queue for {asked['method']} surpassed queue limit of 1000 requests")
    return method(node, params or {})


def _ledger_range(node: Node) -> dict[str, Any]:
    latest, oldest = node.latest(), node.oldest()
    return {
        "latestLedger": latest,
        "latestLedgerCloseTime": str(int(network.closed_at(latest))),
        "oldestLedger": oldest,
        "oldestLedgerCloseTime": str(int(network.closed_at(oldest))),
    }


def _get_health(node: Node, _params: Params) -> dict[str, Any]:
    if node.starting:
        raise RpcError(-32603, "[-32603] data stores are not initialized")
    latency_s = node.latency_s()
    if latency_s > MAX_LATENCY_S:
        sentence = f"latency ({latency_s:.0f}s) since last known ledger closed is too high (>{MAX_LATENCY_S:.0f}s)"
        raise RpcError(-32603, f"[-32603] {sentence}")
    return {"status": "healthy", **_ledger_range(node), "ledgerRetentionWindow": node.retention}


def _get_latest_ledger(node: Node, _params: Params) -> dict[str, Any]:
    ledger = node.latest()
    entry = _ledger(ledger)
    return {
        "id": entry["hash"],
        "protocolVersion": PROTOCOL_VERSION,
        "sequence": ledger,
        "closeTime": entry["ledgerCloseTime"],
        "headerXdr": entry["headerXdr"],
        "metadataXdr": entry["metadataXdr"],
    }


def _get_network(_node: Node, _params: Params) -> dict[str, Any]:
    friendbot = "https://friendbot-testnet.stellar.org/"
    return {"friendbotUrl": friendbot, "passphrase": PASSPHRASE, "protocolVersion": PROTOCOL_VERSION}


def _get_version_info(_node: Node, _params: Params) -> dict[str, Any]:
    return dict(VERSION)


def _get_fee_stats(node: Node, _params: Params) -> dict[str, Any]:
    return {
        "sorobanInclusionFee": {**FEES, "transactionCount": "371", "ledgerCount": 50},
        "inclusionFee": {**FEES, "transactionCount": "28", "ledgerCount": 10},
        "latestLedger": node.latest(),
    }


def _pagination(params: Params, *, default: int, maximum: int) -> tuple[str, int]:
    asked = params.get("pagination") or {}
    if not isinstance(asked, dict):
        raise RpcError(-32602, "invalid parameters")
    limit = asked.get("limit") or default
    if not isinstance(limit, int) or limit < 0:
        raise RpcError(-32602, "invalid parameters")
    if limit > maximum:
        raise RpcError(-32602, f"limit must not exceed {maximum}")
    return str(asked.get("cursor") or ""), limit


def _whole_number(params: Params, name: str) -> int:
    value = params.get(name) or 0
    if not isinstance(value, int) or value < 0:
        raise RpcError(-32602, "invalid parameters")
    return value


def _start(node: Node, params: Params, cursor: str) -> tuple[Cursor, bool]:
    """Where to begin, and whether that place itself was served before."""
    first = _whole_number(params, "startLedger")
    if cursor and (first or params.get("endLedger")):
        raise RpcError(-32602, "ledger ranges and cursor cannot both be set")
    if not cursor and not first:
        raise RpcError(-32602, "startLedger must be positive")
    try:
        place = Cursor.parse(cursor) if cursor else Cursor(first)
    except ValueError as failure:
        raise RpcError(-32602, "invalid parameters") from failure
    if not node.oldest() <= place.ledger <= node.latest():
        raise RpcError(-32600, f"startLedger must be within the ledger range: {node.oldest()} - {node.latest()}")
    return place, bool(cursor)


def _get_events(node: Node, params: Params) -> dict[str, Any]:
    cursor, limit = _pagination(params, default=EVENTS_DEFAULT, maximum=EVENTS_MAX)
    try:
        wanted = Filter.parse(params.get("filters"))
    except FilterError as failure:
        raise RpcError(-32602, str(failure)) from failure
    place, served = _start(node, params, cursor)
    end = min(place.ledger + SCAN_LIMIT, node.latest() + 1)
    if last := _whole_number(params, "endLedger"):
        end = min(end, last)
    events: list[dict[str, Any]] = []
    following = Cursor.end_of(max(end - 1, place.ledger))
    for ledger in range(place.ledger, end):
        if any(low <= ledger <= high for low, high in node.missing):
            continue
        for at, event in network.events(ledger):
            if len(events) < limit and not (served and at <= place) and wanted.matches(event):
                events.append(event)
        if len(events) == limit:
            following = Cursor.parse(events[-1]["id"])
            break
    return {"events": events, **_ledger_range(node), "cursor": str(following)}


def _ledger(ledger: int) -> dict[str, Any]:
    return {
        "hash": network.hash_of(ledger),
        "sequence": ledger,
        "ledgerCloseTime": str(int(network.closed_at(ledger))),
        "headerXdr": base64.b64encode(bytes.fromhex(network.hash_of(ledger)) * 5).decode(),
        "metadataXdr": base64.b64encode(bytes.fromhex(network.hash_of(ledger)) * 8).decode(),
    }


def _get_ledgers(node: Node, params: Params) -> dict[str, Any]:
    cursor, limit = _pagination(params, default=LEDGERS_DEFAULT, maximum=LEDGERS_MAX)
    first = _whole_number(params, "startLedger")
    if cursor and first:
        raise RpcError(-32602, "startLedger and cursor cannot both be set")
    oldest, latest = node.oldest(), node.latest()
    if cursor and not (cursor.isdigit() and oldest <= int(cursor) <= latest):
        between = f"the oldest ledger: {oldest} and the latest ledger: {latest} for this rpc instance"
        raise RpcError(-32602, f"cursor ('{cursor}') must be between {between}")
    begin = int(cursor) + 1 if cursor else first
    if not cursor and not oldest <= begin <= latest:
        between = f"the oldest ledger: {oldest} and the latest ledger: {latest} for this rpc instance"
        raise RpcError(-32600, f"start ledger ({begin}) must be between {between}")
    served = range(begin, min(begin + limit, latest + 1))
    following = served[-1] if served else latest
    return {"ledgers": [_ledger(ledger) for ledger in served], "cursor": str(following), **_ledger_range(node)}


METHODS: dict[str, Callable[[Node, Params], dict[str, Any]]] = {
    "getHealth": _get_health,
    "getLatestLedger": _get_latest_ledger,
    "getNetwork": _get_network,
    "getVersionInfo": _get_version_info,
    "getFeeStats": _get_fee_stats,
    "getEvents": _get_events,
    "getLedgers": _get_ledgers,
}
