"""The event processor really follows the chain, and can really fall behind."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from novaops.sandbox import ledgers, rpc, seed
from novaops.sandbox.child import Child, until
from tests.sandbox.http import serving
from tests.servers import ROOT, Nova

WAIT_S = 20
Start = Callable[..., Child]


class CloudWatch:
    """An AWS endpoint that accepts everything and remembers what was sent."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        self.bodies.append(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode(errors="replace"))
        start_response("200 OK", [("Content-Type", "application/x-amz-json-1.0")])
        return [b"{}"]

    def saw(self, word: str) -> bool:
        return any(word in body for body in list(self.bodies))


@pytest.fixture(scope="module")
def _rpc() -> Iterator[str]:
    with serving(rpc.rpc_app("primary")) as url:
        yield url


@pytest.fixture
def dsn(nova: Nova, _nova_database_server: None) -> str:
    """A database of their own: the sandbox's processor, where one runs, follows another chain."""
    nova.postgresql.ensure_database("chain", "nova")
    own = nova.postgresql.dsn("chain", "nova")
    seed.nova_database(own, fresh=True)
    return own


@pytest.fixture
def database(dsn: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def start(_rpc: str, dsn: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a processor; everything it started is stopped at the end."""
    rpc.reset()
    started: list[Child] = []

    def run(aws: str = "http://127.0.0.1:9", **more: str) -> Child:
        environment = {
            **os.environ,
            "RPC_URL": _rpc,
            "DATABASE_URL": dsn,
            "AWS_ENDPOINT_URL": aws,
            **more,
        }
        argv = [sys.executable, "-m", "novaops.sandbox.processor"]
        child = Child("processor", argv, tmp_path / f"{len(started)}.log", environment=environment, cwd=ROOT)
        child.start()
        started.append(child)
        return child

    yield run
    for child in started:
        child.stop()
    rpc.reset()


def ledger_of(database: Any) -> int:
    row = database.execute("SELECT ledger FROM event_cursor").fetchone()
    return row[0] if row else 0


def is_current(database: Any) -> bool:
    return ledgers.network.latest() - ledger_of(database) <= 10


def expected(first: int, last: int) -> set[str]:
    return {event["id"] for ledger in range(first, last + 1) for _, event in ledgers.network.events(ledger)}


def written(database: Any, first: int, last: int) -> set[str]:
    rows = database.execute("SELECT event_id FROM contract_events WHERE ledger BETWEEN %s AND %s", [first, last])
    return {row[0] for row in rows}


def test_it_writes_every_event_once_and_keeps_up(start, database):
    start()
    assert until(lambda: is_current(database), WAIT_S)
    last = ledger_of(database)
    assert written(database, last - 40, last) == expected(last - 40, last) != set()


def test_started_again_it_leaves_no_gap(start, database):
    first = start()
    assert until(lambda: is_current(database), WAIT_S)
    first.stop()
    stopped_at = ledger_of(database)
    assert until(lambda: ledgers.network.latest() > stopped_at + 8, WAIT_S)
    start()
    assert until(lambda: is_current(database), WAIT_S)
    last = ledger_of(database)
    assert written(database, stopped_at - 20, last) == expected(stopped_at - 20, last)
    (ranges,) = database.execute("SELECT first <= %s, last >= %s FROM event_ranges", [stopped_at, last]).fetchall()
    assert ranges == (True, True)


def test_start_block_replays_from_there(start, database):
    block = ledgers.network.latest() - 200
    start(START_BLOCK=str(block))
    assert until(lambda: is_current(database), WAIT_S)
    last = ledger_of(database)
    assert written(database, block, last) == expected(block, last)


def test_a_start_block_that_is_not_kept_any_more_ends_it(start, tmp_path):
    child = start(START_BLOCK="5")
    assert until(lambda: not child.alive, WAIT_S)
    assert "startLedger must be within the ledger range" in (tmp_path / "0.log").read_text()


def test_it_goes_on_when_the_rpc_comes_back(start, database, tmp_path):
    rpc.nodes["primary"].down = True
    start()
    assert until(lambda: "503" in (tmp_path / "0.log").read_text(), WAIT_S)
    rpc.nodes["primary"].down = False
    assert until(lambda: is_current(database), WAIT_S)


@pytest.mark.long(7)
def test_wedged_it_reports_a_growing_lag_until_it_is_restarted(start, database):
    cloudwatch = CloudWatch()
    with serving(cloudwatch) as aws:
        child = start(aws)
        assert until(lambda: is_current(database) and cloudwatch.saw("blocks_behind"), WAIT_S)
        child.process.send_signal(signal.SIGUSR1)
        stood = ledger_of(database)
        assert until(lambda: lags(cloudwatch)[-1] > 12, WAIT_S)
        assert ledger_of(database) <= stood + 10
        child.stop()
        start(aws)
        assert until(lambda: is_current(database), WAIT_S)


def lags(cloudwatch: CloudWatch) -> list[int]:
    """The values of blocks_behind in its log lines, oldest first."""
    batches = [json.loads(body)["logEvents"] for body in list(cloudwatch.bodies) if '"logEvents"' in body]
    lines = [line["message"] for batch in batches for line in batch]
    return [int(line.partition("=")[2]) for line in lines if "blocks_behind=" in line] or [0]


def test_a_dead_cloudwatch_stops_nothing(start, database, tmp_path):
    start(aws="http://127.0.0.1:9")
    assert until(lambda: "CloudWatch: Could not connect" in (tmp_path / "0.log").read_text(), WAIT_S)
    assert until(lambda: is_current(database), WAIT_S)
