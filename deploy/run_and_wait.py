"""Start a run of NovaOps from a pipeline and wait until it is over: standard library only, copy it where it is needed.

    NOVAOPS_URL=https://ops.example.com NOVAOPS_TOKEN=... python3 run_and_wait.py production create-snapshot nova-db \
        --param deployment=api@9f31c2 --reason "deploy api@9f31c2" --key "pipeline-4711"

`--key` names the attempt: asked again with the same one, it follows the first run instead of starting another. Exit
code: 0 succeeded; 1 failed, canceled or expired; 2 refused, nothing happened; 3 outcome unknown, look before doing
anything; 4 still under way when the time was up.
"""

import argparse
import json
import os
import sys
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

SUCCEEDED, FAILED, REFUSED, UNKNOWN, UNDER_WAY = range(5)
EXIT = {"succeeded": SUCCEEDED, "failed": FAILED, "canceled": FAILED, "expired": FAILED, "unknown": UNKNOWN}
# A plan that no worker looked at in time, too many requests, a proxy without a server behind it: asked again.
AGAIN = (429, 502, 503, 504)
TIMEOUT_S = 30


class Refused(Exception):
    """NovaOps declined; the message says why."""


def main(arguments: list[str]) -> int:
    """The exit code."""
    asked = parsed(arguments)
    try:
        return follow(asked, started(asked))
    except Refused as refusal:
        say(f"Refused: {refusal}")
        return REFUSED


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Start a run of NovaOps and wait until it is over.")
    for name in ("environment", "action", "target"):
        parser.add_argument(name)
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--reason", required=True)
    parser.add_argument("--key", required=True, help="names this attempt, as in the pipeline's number")
    parser.add_argument("--timeout-s", type=float, default=4 * 3600)
    parser.add_argument("--every-s", type=float, default=10)
    asked = parser.parse_args(arguments)
    asked.until = time.monotonic() + asked.timeout_s
    return asked


def started(asked: argparse.Namespace) -> dict[str, Any]:
    """The run, started now or by an earlier attempt of the same key. Raises Refused."""
    body = {
        "environment": asked.environment,
        "action": asked.action,
        "target": asked.target,
        "params": dict(pair.split("=", 1) for pair in asked.param),
        "reason": asked.reason,
    }
    return insisted(asked, "POST", "/api/v1/runs", json.dumps(body))


def follow(asked: argparse.Namespace, run: dict[str, Any]) -> int:
    """Say what the run does until it is over; its exit code."""
    said = ""
    while True:
        now = f"run {run['id']} {run['status']}: {at(run)}"
        if now != said:
            say(now)
            said = now
        if run["status"] in EXIT:
            return EXIT[run["status"]]
        if time.monotonic() > asked.until:
            return UNDER_WAY
        time.sleep(asked.every_s)
        run = insisted(asked, "GET", f"/api/v1/runs/{run['id']}")


def at(run: dict[str, Any]) -> str:
    """Where the run stands, in its own words."""
    begun = [step["sentence"] or step["title"] for step in run["steps"] if step["started_at"]]
    return str(run["outcome"] or (begun[-1] if begun else "not begun"))


def insisted(asked: argparse.Namespace, method: str, path: str, body: str | None = None) -> dict[str, Any]:
    """The answer, asked for again while NovaOps cannot be reached or says that it should be. Raises Refused."""
    while True:
        try:
            status, answer = once(asked, method, path, body)
        except (OSError, HTTPException) as failure:
            status, answer = 0, {"detail": f"NovaOps was not reached ({type(failure).__name__})"}
        if status in (200, 201):
            return answer
        sentence = str(answer.get("detail") or answer.get("title") or f"HTTP {status}")
        if status not in (0, *AGAIN) or time.monotonic() > asked.until:
            raise Refused(sentence)
        say(f"{sentence}; asking again")
        time.sleep(asked.every_s)


def once(asked: argparse.Namespace, method: str, path: str, body: str | None) -> tuple[int, dict[str, Any]]:
    where = urlsplit(os.environ["NOVAOPS_URL"])
    kind = HTTPSConnection if where.scheme == "https" else HTTPConnection
    connection = kind(where.netloc, timeout=TIMEOUT_S)
    headers = {"Authorization": f"Bearer {os.environ['NOVAOPS_TOKEN']}", "Accept": "application/json"}
    if body is not None:
        headers |= {"Content-Type": "application/json", "Idempotency-Key": asked.key}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        read = answer.read()
    finally:
        connection.close()
    try:
        told = json.loads(read)
    except ValueError:
        told = {}
    return answer.status, told if isinstance(told, dict) else {}


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
