"""`manage.py demo` and `manage.py sandbox`: they run before Django, whose settings need what they start."""

import argparse
import os
import sys

from novaops.sandbox import demo, steering
from novaops.sandbox.child import StartError
from novaops.sandbox.place import Place
from novaops.sandbox.steering import State, SteeringError


def main(arguments: list[str]) -> int:
    """The command line. Returns the exit status."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "demo":
        return demo.run(reset=chosen.reset)
    try:
        answer = _sandbox(chosen)
    except (StartError, SteeringError) as failure:
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


def _sandbox(chosen: argparse.Namespace) -> State:
    base = os.environ.get("NOVAOPS_SANDBOX_URL") or Place(demo.VAR).read_environment()["NOVAOPS_SANDBOX_URL"]
    match chosen.what:
        case "scenario":
            return steering.play(base, chosen.name)
        case "reset":
            return steering.start_over(base)
        case _:
            return steering.state(base)


def _described(state: State) -> str:
    lines = [f"{state.get('scenario', '?')} ({state.get('state', 'active')}) since {state.get('started_at', '?')}"]
    lines += [str(state["by"])] if state.get("by") else []
    lines += [f"  {each['name']:24} {each['title']}" for each in state.get("scenarios", [])]
    return "\n".join(lines) + "\n"
