"""Where the storm strikes inside a worker: real kill -9 and freezes at the moments that a run's trouble names.

Nothing of the engine is replaced: each function runs as it is, with a moment before and after it at which the
process may die.
Imported by the worker processes alone (`CHAOS_DIRECTORY` and `CHAOS_SEED` say which storm this is).
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from botocore.config import Config

import tests.chaos.actions  # noqa: F401 - registers them
from novaops.cloud import aws
from novaops.runbook import engine
from novaops.runbook.leases import Lease
from tests.chaos.choices import Trouble, trouble

DIRECTORY = Path(os.environ["CHAOS_DIRECTORY"])
SEED = int(os.environ["CHAOS_SEED"])
LEASE_S = int(os.environ["NOVAOPS_RUN_LEASE_S"])
# Past the lease, so that a worker whose call hangs loses it.
READ_TIMEOUT_S = LEASE_S + 0.5
_now: list[Trouble | None] = [None]


def index_of(key: str) -> int:
    """The number of the run in the storm, from its idempotency key."""
    return int(key.rpartition("-")[2])


def first_time(what: str, index: int) -> bool:
    """Whether this stroke has not fallen yet; leaves the mark that the oracle reads."""
    try:
        os.close(os.open(DIRECTORY / f"{index} {what.replace('/', ' ')}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def moment(name: str) -> None:
    """A place in a transition: the process dies or freezes here if the run's trouble says so."""
    chosen = _now[0]
    if chosen is None or not name:
        return
    if chosen.pause == name and first_time(f"pause/{name}", chosen.index):
        time.sleep(LEASE_S * 1.5)
    if chosen.kill == name and first_time(f"kill/{name}", chosen.index):
        os.kill(os.getpid(), signal.SIGKILL)


def soon(name: str, after_s: float) -> None:
    """The same in the middle of what follows."""
    chosen = _now[0]
    if chosen is not None and chosen.kill == name:
        timer = threading.Timer(after_s, _strike, (name, chosen.index))
        timer.daemon = True
        timer.start()


def _strike(name: str, index: int) -> None:
    if first_time(f"kill/{name}", index):
        os.kill(os.getpid(), signal.SIGKILL)


def between(before: str, call: Callable[..., Any], after: str) -> Callable[..., Any]:
    """The function with a moment before and one after it."""

    @wraps(call)
    def struck(*args: Any, **kwargs: Any) -> Any:
        moment(before)
        result = call(*args, **kwargs)
        moment(after)
        return result

    return struck


def _knowing(transition: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(transition)
    def struck(run: Any, lease: Any) -> Any:
        _now[0] = trouble(SEED, index_of(run.idempotency_key))
        try:
            return transition(run, lease)
        finally:
            _now[0] = None

    return struck


def _waiting(wait: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(wait)
    def struck(*args: Any) -> Any:
        soon("wait/looking", 0.004)
        return wait(*args)

    return struck


def _signing(sign: Callable[..., bool]) -> Callable[..., bool]:
    @wraps(sign)
    def struck(self: Lease, call: Any) -> bool:
        signed = sign(self, call)
        if signed:
            moment("effect/signed")
            soon("effect/sent", 0.3)
        return signed

    return struck


def install() -> None:
    """Put the moments into this process."""
    aws.SENDER = aws.SENDER.merge(Config(read_timeout=READ_TIMEOUT_S))
    engine._transition = _knowing(engine._transition)
    engine._begin = between("begin/claimed", engine._begin, "begin/committed")
    engine._effect = between("effect/claimed", engine._effect, "effect/committed")
    engine._wait = between("wait/claimed", _waiting(engine._wait), "wait/committed")
    engine._intend = between("effect/looked", engine._intend, "effect/intended")
    Lease.sign = _signing(Lease.sign)  # type: ignore[method-assign]
    aws.Operation.__call__ = between("", aws.Operation.__call__, "effect/answered")  # type: ignore[method-assign]
