"""`manage.py demo` and `manage.py sandbox`: they run before Django, whose settings need what they start."""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

from novaops.sandbox import demo
from novaops.sandbox.child import StartError
from novaops.sandbox.place import Place


def main(arguments: list[str]) -> int:
    """The command line. Returns the exit status."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "demo":
        return demo.run(reset=chosen.reset)
    try:
        answer = _sandbox(chosen)
    except StartError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(_described(answer))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py")
    commands = parser.add_subparsers(dest="command", required=True)
    started = commands.add_parser("demo", help="run NovaOps on a simulated Nova")
    started.add_argument("--reset", action="store_true", help="start over: delete the data of earlier demos first")
    steered = commands.add_parser("sandbox", help="steer the simulated Nova of a running demo")
    what = steered.add_subparsers(dest="what", required=True)
    scenario = what.add_parser("scenario", help="let something go wrong")
    scenario.add_argument("name", help="the scenario's name: state lists them")
    what.add_parser("state", help="say what is going on")
    what.add_parser("reset", help="back to a calm, freshly seeded Nova")
    return parser


def _sandbox(chosen: argparse.Namespace) -> dict[str, Any]:
    base = os.environ.get("NOVAOPS_SANDBOX_URL") or Place(demo.VAR).read_environment()["NOVAOPS_SANDBOX_URL"]
    match chosen.what:
        case "scenario":
            return ask(base, "POST", "/scenario", {"name": chosen.name})
        case "reset":
            return ask(base, "POST", "/reset", {})
        case _:
            return ask(base, "GET", "/state")


def ask(base: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One call to the sandbox's control API. Raises StartError with the sentence to show."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, method=method)  # noqa: S310 - the configured sandbox
    request.add_header("Content-Type", "application/json")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=5) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as failure:
        raise StartError(_refusal(failure)) from failure
    except (OSError, ValueError) as failure:
        raise StartError("The sandbox does not answer: start it with make demo.") from failure


def _refusal(failure: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(failure)["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"The sandbox answered {failure.code}."


def _described(state: dict[str, Any]) -> str:
    lines = [f"{state.get('scenario', '?')} ({state.get('state', 'active')}) since {state.get('started_at', '?')}"]
    lines += [str(state["by"])] if state.get("by") else []
    lines += [f"  {each['name']:24} {each['title']}" for each in state.get("scenarios", [])]
    return "\n".join(lines) + "\n"
