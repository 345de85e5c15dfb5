"""Nova's Smart Contract Event Processor, small: reads events from a Stellar RPC and writes them to Nova's database.

Started as the one task of the ECS service nova-event-processor. RPC_URL, DATABASE_URL and START_BLOCK are its
environment; AWS_ENDPOINT_URL says where its log and its metric go, NOVA_TASK_ID names its log stream. The signal USR1
wedges it, as a connection that never answers would: it goes on reporting how far behind it is, and a restart cures it.
"""

import json
import logging
import os
import re
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import boto3
import psycopg
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from novaops.sandbox.ledgers import Cursor

logger = logging.getLogger("processor")

APPLICATION = "nova-event-processor"
LOG_GROUP = "/nova/event-processor"
METRIC = {"Namespace": "Nova/EventProcessor", "MetricName": "blocks_behind"}
DIMENSIONS = [{"Name": "ServiceName", "Value": "nova-event-processor"}]
POLL_S = 0.25
REPORT_S = 2.0
# Small pages let a backlog be seen draining.
PAGE = 20
FIRST_START_BEHIND = 50
QUICK = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 1})
FAILURES = (requests.RequestException, psycopg.Error, ValueError, KeyError)


class RpcRefusedError(Exception):
    """The RPC answered with an error."""


@dataclass
class Processor:
    """Where it stands: the place of the last event read, the newest ledger the RPC told of."""

    rpc_url: str
    dsn: str
    start_block: int | None = None
    session: requests.Session = field(default_factory=requests.Session)
    cursor: Cursor | None = None
    latest: int = 0
    # The first ledger that this run has not finished yet.
    unread: int = 0
    wedged: threading.Event = field(default_factory=threading.Event)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One call to the RPC. Raises RpcRefusedError, or a requests exception where it did not answer well."""
        call: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self.session.post(self.rpc_url, json=call, timeout=5)
        answer.raise_for_status()
        reply = answer.json()
        if "error" in reply:
            raise RpcRefusedError(f"{method}: {reply['error']['code']} {reply['error']['message']}")
        return dict(reply["result"])

    def begin(self, connection: "psycopg.Connection[Any]") -> dict[str, Any]:
        """The parameters of the first page: START_BLOCK, else behind the stored cursor, else shortly before now."""
        row = connection.execute("SELECT ledger FROM event_cursor").fetchone()
        if self.start_block is not None:
            logger.info("START_BLOCK is set: replaying from ledger %s", self.start_block)
            self.unread = self.start_block
            return {"startLedger": self.start_block}
        if row:
            logger.info("going on behind ledger %s", row[0])
            self.unread = row[0] + 1
            return {"pagination": {"cursor": str(Cursor.end_of(row[0]))}}
        self.unread = self.ask("getHealth")["latestLedger"] - FIRST_START_BEHIND
        return {"startLedger": self.unread}

    def step(self, connection: "psycopg.Connection[Any]") -> int:
        """Read one page and write it with the new cursor, in one transaction. Returns how many events it had."""
        asked = {"pagination": {"cursor": str(self.cursor)}} if self.cursor else self.begin(connection)
        page = self.ask("getEvents", **asked | {"pagination": {"limit": PAGE, **asked.get("pagination", {})}})
        events, cursor = page["events"], Cursor.parse(page["cursor"])
        full = len(events) == PAGE
        # The last ledger of a full page may have more events: only the one before it is done.
        done = cursor.ledger - 1 if full else cursor.ledger
        closed = events[-1]["ledgerClosedAt"] if full else _utc(page["latestLedgerCloseTime"])
        with connection.transaction():
            write_events(connection, events)
            if done >= self.unread:
                mark_read(connection, self.unread, done)
            connection.execute(
                "INSERT INTO event_cursor (ledger, closed_at) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE "
                "SET ledger = excluded.ledger, closed_at = excluded.closed_at, updated_at = now()",
                [done, closed],
            )
        self.cursor, self.latest, self.unread = cursor, page["latestLedger"], max(self.unread, done + 1)
        return len(events)

    def behind(self) -> int | None:
        """How many ledgers it is behind the RPC; None where nobody can say."""
        with suppress(requests.RequestException, RpcRefusedError, ValueError, KeyError):
            self.latest = requests.post(
                self.rpc_url, json={"jsonrpc": "2.0", "id": 1, "method": "getHealth"}, timeout=5
            ).json()["result"]["latestLedger"]
        return max(0, self.latest - self.cursor.ledger) if self.cursor and self.latest else None

    def run(self) -> None:
        """Follow the chain until the process ends. Lost connections are made again; a refused start ends it."""
        while True:
            try:
                with psycopg.connect(
                    self.dsn, autocommit=True, connect_timeout=3, application_name=APPLICATION
                ) as connection:
                    logger.info("connected to the database and %s", self.rpc_url)
                    self._follow(connection)
            except RpcRefusedError as failure:
                if "ledger range" in str(failure):
                    logger.critical("cannot read on: %s", failure)
                    raise SystemExit(1) from failure
                logger.error("RPC error: %s", failure)
            except FAILURES as failure:
                logger.error("%s: %s", type(failure).__name__, _first_line(failure))
            time.sleep(4 * POLL_S)

    def _follow(self, connection: "psycopg.Connection[Any]") -> None:
        while True:
            if self.wedged.is_set():
                signal.pause()
                continue
            count = self.step(connection)
            if count:
                logger.info("wrote %s events up to ledger %s", count, self.cursor.ledger if self.cursor else "?")
            time.sleep(POLL_S)


def mark_read(connection: "psycopg.Connection[Any]", first: int, last: int) -> None:
    """Keep account of the ledgers that were read, eventful or not: ranges that touch become one."""
    connection.execute(
        "WITH joined AS (DELETE FROM event_ranges WHERE first <= %(last)s + 1 AND last >= %(first)s - 1 RETURNING *) "
        "INSERT INTO event_ranges (first, last) "
        "SELECT least(min(first), %(first)s), greatest(max(last), %(last)s) FROM joined",
        {"first": first, "last": last},
    )


def write_events(connection: "psycopg.Connection[Any]", events: list[dict[str, Any]]) -> None:
    """Write events, those that are there already left as they are."""
    columns = ("id", "ledger", "contractId", "value", "txHash", "ledgerClosedAt")
    rows = [(*(each[name] for name in columns), json.dumps(each["topic"])) for each in events]
    with connection.cursor() as writer:
        writer.executemany(
            "INSERT INTO contract_events (event_id, ledger, contract_id, value, tx_hash, closed_at, topic) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (event_id) DO NOTHING",
            rows,
        )


def _utc(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _first_line(failure: Exception) -> str:
    """The failure's first line without a password that an address in it may have."""
    return re.sub(r"://[^@\s]*@", "://", str(failure).partition("\n")[0])


class Reporter(logging.Handler):
    """Sends the log to CloudWatch Logs and the lag to CloudWatch, every two seconds, and endures any failure."""

    def __init__(self, behind: Callable[[], int | None], stream: str) -> None:
        super().__init__()
        self.behind, self.stream = behind, stream
        self.lines: deque[dict[str, Any]] = deque(maxlen=1000)
        self.logs = boto3.client("logs", config=QUICK)
        self.metrics = boto3.client("cloudwatch", config=QUICK)
        self.created = False

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append({"timestamp": int(record.created * 1000), "message": self.format(record)})

    def report(self) -> None:
        """One round: the lag as a metric and a line, then the lines."""
        behind = self.behind()
        try:
            if behind is not None:
                logger.info("blocks_behind=%s", behind)
                datum = {"MetricName": METRIC["MetricName"], "Dimensions": DIMENSIONS, "Value": behind, "Unit": "Count"}
                self.metrics.put_metric_data(Namespace=METRIC["Namespace"], MetricData=[datum])
            self._send_lines()
        except (BotoCoreError, ClientError) as failure:
            sys.stdout.write(f"CloudWatch: {_first_line(failure)}\n")
            sys.stdout.flush()

    def _send_lines(self) -> None:
        where = {"logGroupName": LOG_GROUP, "logStreamName": self.stream}
        if not self.created:
            self._create(where)
        lines = [self.lines.popleft() for _ in range(len(self.lines))]
        if lines:
            self.logs.put_log_events(**where, logEvents=lines)

    def _create(self, where: dict[str, str]) -> None:
        exists = self.logs.exceptions.ResourceAlreadyExistsException
        with suppress(exists):
            self.logs.create_log_group(logGroupName=LOG_GROUP)
        with suppress(exists):
            self.logs.create_log_stream(**where)
        self.created = True

    def run(self) -> None:
        while True:
            self.report()
            time.sleep(REPORT_S)


def main() -> None:
    """Run until a signal ends it."""
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    start = os.environ.get("START_BLOCK", "")
    processor = Processor(os.environ["RPC_URL"], os.environ["DATABASE_URL"], int(start) if start else None)
    reporter = Reporter(processor.behind, f"processor/processor/{os.environ.get('NOVA_TASK_ID', os.getpid())}")
    reporter.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[console, reporter])
    logging.getLogger("botocore").setLevel(logging.WARNING)

    def wedge(_number: int, _frame: FrameType | None) -> None:
        processor.wedged.set()

    signal.signal(signal.SIGUSR1, wedge)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=reporter.run, daemon=True, name="reporter").start()
    processor.run()


if __name__ == "__main__":
    main()
