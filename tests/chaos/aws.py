"""The storm's AWS over HTTP: `python -m tests.chaos.aws PORT DSN`. It looks into NovaOps' database only to witness
that the intent of a call was committed before the call arrived."""

import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import psycopg

from tests.chaos.world import World

REFUSALS = {
    "throttle": "ThrottlingException",
    "refused": "InvalidParameterException",
    "denied": "AccessDeniedException",
}
SILENCE_S = 3.0
SLOW_S = 0.6
RUN = re.compile(r"novaops/run-(\d+)")
WITNESS = """
SELECT count(*) FILTER (WHERE c.signed_at IS NOT NULL),
       (SELECT count(*) FROM audit_entry e WHERE e.run = %(run)s AND e.verb = 'effect.intended')
  FROM runbook_call c JOIN runbook_step s ON s.id = c.step_id WHERE s.run_id = %(run)s
"""
world = World()


class Handler(BaseHTTPRequestHandler):
    """One request: AWS as botocore speaks to it, or the storm's own questions under /_chaos."""

    protocol_version = "HTTP/1.1"
    dsn = ""

    def do_GET(self) -> None:
        self._answer(200, json.dumps(world.ledger), "application/json")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        if self.path == "/_chaos/expect":
            asked = json.loads(body)
            world.expect(asked["target"], asked["effect"], asked["read"])
            self._answer(200, "{}", "application/json")
        elif "X-Amz-Target" in self.headers:
            self._ecs(self.headers["X-Amz-Target"].rpartition(".")[2], json.loads(body))
        else:
            self._query({name: values[0] for name, values in parse_qs(body).items()})

    def _ecs(self, operation: str, params: dict[str, Any]) -> None:
        if operation == "DescribeServices":
            name = params["services"][0]
            with world.lock:
                told = {"services": [world.service(name).told(name)], "failures": []}
            self._meet(world.next_trouble(name, "read"), json.dumps(told), "application/json")
            return
        name = params["service"]
        self._effect(name, operation, lambda trouble: world.update(name, params, trouble), lambda: _service(name))

    def _query(self, params: dict[str, str]) -> None:
        action = params["Action"]
        if action == "DescribeTargetHealth":
            self._answer(200, _xml(action, "<TargetHealthDescriptions>" + HEALTHY * 50 + "</TargetHealthDescriptions>"))
        elif action == "DescribeDBSnapshots":
            self._snapshots(params["DBSnapshotIdentifier"])
        else:
            name = params["DBSnapshotIdentifier"]
            self._effect(
                params["DBInstanceIdentifier"],
                action,
                lambda trouble: world.snapshot(name, trouble),
                lambda: _xml(action, _snapshot(name)),
            )

    def _snapshots(self, name: str) -> None:
        seen_from = world.snapshots.get(name)
        if seen_from is None or time.time() < seen_from:
            self._fail(404, "DBSnapshotNotFound")
            return
        self._answer(200, _xml("DescribeDBSnapshots", f"<DBSnapshots>{_snapshot(name)}</DBSnapshots>"))

    def _effect(self, target: str, operation: str, change: Any, told: Any) -> None:
        """A changing call: witnessed, carried out or not, written into the ledger, answered as its trouble has it."""
        trouble = world.next_trouble(target, "effect")
        asked = RUN.search(self.headers.get("User-Agent", ""))
        run = int(asked[1]) if asked else 0
        entry = {"at": time.time(), "run": run, "target": target, "operation": operation, "trouble": trouble}
        entry |= {"signed_before": _witnessed(self.dsn, run), "authorized": "Authorization" in self.headers}
        if trouble in ("slow-before", "hang-before"):
            time.sleep(SLOW_S)
        applies = trouble not in (*REFUSALS, "error-before", "drop-before", "hang-before")
        with world.lock:
            changed = change(trouble) if applies else False
            world.ledger.append(entry | {"changed": changed, "applied_at": time.time()})
        if applies and not changed and operation == "CreateDBSnapshot":
            self._fail(400, "DBSnapshotAlreadyExists")
            return
        text = told()
        self._meet(trouble, text, "text/xml" if text.startswith("<") else "application/json")

    def _meet(self, trouble: str, text: str, kind: str) -> None:
        """Answer as the trouble has it."""
        if trouble in REFUSALS:
            self._fail(400, REFUSALS[trouble], kind)
        elif trouble in ("error-before", "error-after"):
            self._fail(500, "InternalFailure", kind)
        elif trouble in ("drop-before", "drop-after", "late-drop", "very-late-drop"):
            self.close_connection = True
        elif trouble in ("hang-before", "hang-after"):
            time.sleep(SILENCE_S)
            self.close_connection = True
        elif trouble == "truncated-after":
            self._answer(200, text[: len(text) // 2], kind, length=len(text.encode()))
            self.close_connection = True
        else:
            if trouble.startswith("slow"):
                time.sleep(SLOW_S)
            self._answer(200, "<<nonsense" if trouble == "garbage-after" else text, kind)

    def _fail(self, status: int, code: str, kind: str = "text/xml") -> None:
        if kind == "application/json":
            self._answer(status, json.dumps({"__type": code, "message": "as the storm has it"}), kind)
            return
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>as the storm has it</Message></Error>"
        self._answer(status, f"<ErrorResponse>{error}<RequestId>storm</RequestId></ErrorResponse>")

    def _answer(self, status: int, text: str, kind: str = "text/xml", *, length: int | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the ledger is the log."""


HEALTHY = (
    "<member><Target><Id>10.0.0.1</Id><Port>80</Port></Target>"
    "<TargetHealth><State>healthy</State></TargetHealth></member>"
)


def _service(name: str) -> str:
    """The service as the answer to its change tells it: never late."""
    with world.lock:
        found = world.service(name)
        found_hidden, found.hidden = found.hidden, None
        told = found.told(name)
        found.hidden = found_hidden
    return json.dumps({"service": told})


def _snapshot(name: str) -> str:
    tag = "DBSnapshot"
    return f"<{tag}><DBSnapshotIdentifier>{escape(name)}</DBSnapshotIdentifier><Status>available</Status></{tag}>"


def _xml(action: str, inner: str) -> str:
    return f"<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>"


_witness = threading.local()


def _witnessed(dsn: str, run: int) -> bool | None:
    """Whether a signed call and its audit entry are committed now; None where the database cannot be asked."""
    for _ in range(2):
        try:
            if getattr(_witness, "connection", None) is None:
                _witness.connection = psycopg.connect(dsn, autocommit=True, connect_timeout=2)
            row = _witness.connection.execute(WITNESS, {"run": run}).fetchone()
            return bool(row and row[0] and row[1])
        except psycopg.Error:
            _witness.connection = None
    return None


class Server(ThreadingHTTPServer):
    """Quiet about clients that were killed in the middle of a request."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """A killed worker's broken pipe is no news."""


def main(port: int, dsn: str) -> None:
    Handler.dsn = dsn
    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
