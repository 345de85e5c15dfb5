"""The control API of the sandbox, /_sandbox: its state, scenarios, faults and effects, and starting over."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask, Response, jsonify, request

from novaops.sandbox import lifecycle
from novaops.sandbox.faults import WrongFaultError, effects, faults
from novaops.sandbox.processes import processes
from novaops.sandbox.scenarios import UnknownScenarioError, stage
from novaops.sandbox.ticker import HISTORY, ticker
from novaops.sandbox.world import world


def app() -> Flask:
    """The WSGI application, to be mounted at addresses.CONTROL_PREFIX."""
    made = Flask("sandbox-control")
    routes: list[tuple[str, str, Callable[[], Response]]] = [
        ("GET", "/state", _state),
        ("POST", "/scenario", _scenario),
        ("GET", "/effects", _effects),
        ("POST", "/faults", _faults),
        ("POST", "/reset", _reset),
    ]
    for method, path, view in routes:
        made.add_url_rule(path, view_func=view, methods=[method])
    made.register_error_handler(WrongFaultError, _wrong)
    made.register_error_handler(UnknownScenarioError, _wrong)
    return made


def _wrong(error: Exception) -> tuple[Response, int]:
    return jsonify(error=str(error)), 400


def _state() -> Response:
    with world.lock:
        world.advance()
        stage.watch()
        return jsonify(**stage.described(), seed=world.seed, factor=world.factor)


def _body() -> Any:
    return request.get_json(force=True, silent=True)


def _scenario() -> Response:
    body = _body()
    lifecycle.play(str(body.get("name", "")) if isinstance(body, dict) else "")
    return _state()


def _effects() -> Response:
    return jsonify(effects.all())


def _faults() -> Response:
    body = _body()
    if not isinstance(body, list):
        raise WrongFaultError("Send a list of faults; an empty one clears.")
    faults.set(body)
    return jsonify(set=len(body))


def _reset() -> Response:
    body = _body()
    asked = body if isinstance(body, dict) else {}
    seed, factor = int(asked.get("seed", world.seed)), float(asked.get("factor", world.factor))
    ticker.sample_s = float(asked.get("sample_s", ticker.usual_sample_s))
    processes.wanted = bool(asked.get("processes", True))
    past = timedelta(seconds=float(asked.get("past_s", HISTORY.total_seconds())))
    lifecycle.start_over(seed=seed, factor=factor, past=past)
    return _state()
